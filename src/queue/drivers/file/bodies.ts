import { Buffer } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import { readFully } from "./files.ts";
import type { Files } from "./files.ts";
import type { Journal } from "./journal.ts";
import type { Location, Locations } from "./locations.ts";
import { readBody } from "./snapshots.ts";

/** A job's id and bytes. */
export interface Stored {
  readonly id: string;
  readonly body: JobBody;
}

/** Finds the bytes of jobs again. */
export interface Bodies {
  /** Keeps what was just written in memory as well, while there is room for it. */
  remember(seq: number, id: string, body: JobBody): void;
  forget(seq: number): void;
  /** In the order given; at once where all of it is in memory. */
  read(seqs: readonly number[]): readonly Stored[] | Promise<readonly Stored[]>;
}

/** Most of what is delivered was enqueued a moment ago: that much need not be read again. */
const rememberedBytes = 16 * 1024 * 1024;
const largestRemembered = 64 * 1024;
/** Neighbours on disk are read with one call, up to so many bytes, with gaps up to so many. */
const longestRun = 1024 * 1024;
const longestGap = 16 * 1024;

export function createBodies(files: Files, locations: Locations, journal: Journal): Bodies {
  const remembered = new Map<number, Stored>();
  let bytes = 0;

  const sizeOf = ({ body }: Stored): number => body.length + 200;

  const readRun = async (run: readonly Placed[], found: Map<number, Stored>): Promise<void> => {
    const [first, last] = [run[0] as Placed, run.at(-1) as Placed];
    const from = first.location.offset;
    const length = last.location.offset + last.location.length - from;
    const { segment } = first.location;
    const buffer = Buffer.allocUnsafe(length);
    segment.readers += 1;
    try {
      const count = await readFully(files, segment.fd, buffer, length, from);
      if (count < length) throw new Error(`${segment.path} ends before offset ${from + length}`);
    } finally {
      segment.readers -= 1;
    }
    for (const { seq, location } of run) {
      const at = location.offset - from;
      found.set(seq, readBody(buffer.subarray(at, at + location.length)));
    }
  };

  const readAll = async (seqs: readonly number[], placed: Placed[], found: Map<number, Stored>) => {
    for (const run of runsOf(placed)) await readRun(run, found);
    return seqs.map((seq) => found.get(seq) as Stored);
  };

  return {
    remember(seq, id, body) {
      const stored = { id, body };
      if (body.length > largestRemembered || bytes + sizeOf(stored) > rememberedBytes) return;
      bytes += sizeOf(stored);
      remembered.set(seq, stored);
    },
    forget(seq) {
      const stored = remembered.get(seq);
      if (stored === undefined) return;
      remembered.delete(seq);
      bytes -= sizeOf(stored);
    },
    read(seqs) {
      const found = new Map<number, Stored>();
      const placed: Placed[] = [];
      for (const seq of seqs) {
        const stored = remembered.get(seq);
        if (stored !== undefined) {
          found.set(seq, stored);
          continue;
        }
        const location = locations.get(seq);
        if (location === undefined) throw new Error(`job ${seq} is nowhere in the journal`);
        const { segment, offset, length } = location;
        const unwritten = journal.peek(segment, offset, length);
        if (unwritten === null) placed.push({ seq, location });
        else found.set(seq, readBody(Buffer.from(unwritten)));
      }
      if (placed.length === 0) return seqs.map((seq) => found.get(seq) as Stored);
      return readAll(seqs, placed, found);
    },
  };
}

interface Placed {
  readonly seq: number;
  readonly location: Location;
}

/** Jobs in the order they stand on disk, neighbours together. */
function runsOf(placed: Placed[]): Placed[][] {
  placed.sort(
    (a, b) => a.location.segment.number - b.location.segment.number || a.location.offset - b.location.offset,
  );
  const runs: Placed[][] = [];
  let run: Placed[] = [];
  for (const one of placed) {
    const first = run[0]?.location;
    const last = run.at(-1)?.location;
    const { segment, offset, length } = one.location;
    const isNext =
      first !== undefined &&
      last !== undefined &&
      first.segment === segment &&
      offset - last.offset - last.length <= longestGap &&
      offset + length - first.offset <= longestRun;
    if (isNext) run.push(one);
    else runs.push((run = [one]));
  }
  return runs;
}
