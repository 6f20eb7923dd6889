import { Buffer } from "node:buffer";
import type { JobBody } from "../../../jobs/job.ts";
import { readFully } from "./files.ts";
import type { Files } from "./files.ts";
import type { Journal } from "./journal.ts";
import type { Location, Locations } from "./locations.ts";
import { readBody } from "./snapshots.ts";
import type { Tail } from "./snapshots.ts";

/** A job's id and bytes. */
export interface Stored {
  readonly id: string;
  readonly body: JobBody;
}

/** The end of a body that others have as well. */
export interface SharedText {
  readonly text: string;
  readonly sharedBy: number;
}

interface Remembered extends Stored {
  readonly tail: SharedText | undefined;
}

/** Finds the bytes of jobs again. */
export interface Bodies {
  /** Keeps what was just written in memory as well, while there is room for it; `tail` is how the body goes on. */
  remember(seq: number, id: string, body: JobBody, tail?: SharedText): void;
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
  const remembered = new Map<number, Remembered>();
  let bytes = 0;

  const sizeOf = ({ body, tail }: Remembered): number =>
    body.length + 200 + (tail === undefined ? 0 : tail.text.length / tail.sharedBy);

  /** The text of a tail; read once for all whose bodies end with it. */
  const readTail = async ({ segment, offset }: Location, tail: Tail, read: Map<string, string>) => {
    const at = offset - tail.back;
    const key = `${segment.number}:${at}`;
    let text = read.get(key);
    if (text === undefined) {
      const bytes = Buffer.allocUnsafe(tail.length);
      const count = await readFully(files, segment.fd, bytes, tail.length, at);
      if (count < tail.length) throw new Error(`${segment.path} ends before offset ${at + tail.length}`);
      read.set(key, (text = bytes.toString("utf8")));
    }
    return text;
  };

  const readRun = async (
    run: readonly Placed[],
    found: Map<number, Stored>,
    tails: Map<string, string>,
  ): Promise<void> => {
    const [first, last] = [run[0] as Placed, run.at(-1) as Placed];
    const from = first.location.offset;
    const length = last.location.offset + last.location.length - from;
    const { segment } = first.location;
    const buffer = Buffer.allocUnsafe(length);
    const count = await readFully(files, segment.fd, buffer, length, from);
    if (count < length) throw new Error(`${segment.path} ends before offset ${from + length}`);
    for (const { seq, location } of run) {
      const at = location.offset - from;
      const { id, body, tail } = readBody(buffer.subarray(at, at + location.length));
      const rest = tail === null ? null : await readTail(location, tail, tails);
      found.set(seq, { id, body: rest === null ? body : `${String(body)}${rest}` });
    }
  };

  /** What is not in its file yet; null when it is. */
  const readUnwritten = ({ segment, offset, length }: Location): Stored | null => {
    const bytes = journal.peek(segment, offset, length);
    if (bytes === null) return null;
    const { id, body, tail } = readBody(Buffer.from(bytes));
    if (tail === null) return { id, body };
    // It is in the same record.
    const rest = Buffer.from(journal.peek(segment, offset - tail.back, tail.length) ?? []);
    return { id, body: `${String(body)}${rest.toString("utf8")}` };
  };

  const readAll = async (seqs: readonly number[], placed: Placed[], found: Map<number, Stored>) => {
    const tails = new Map<string, string>();
    // All of them from now on: a job that is over before its run is read must not take its segment with it.
    const segments = new Set(placed.map(({ location }) => location.segment));
    for (const segment of segments) segment.readers += 1;
    try {
      for (const run of runsOf(placed)) await readRun(run, found, tails);
    } finally {
      for (const segment of segments) segment.readers -= 1;
    }
    return seqs.map((seq) => found.get(seq) as Stored);
  };

  return {
    remember(seq, id, body, tail) {
      const stored = { id, body, tail };
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
          const { id, body, tail } = stored;
          found.set(seq, tail === undefined ? stored : { id, body: `${String(body)}${tail.text}` });
          continue;
        }
        const location = locations.get(seq);
        if (location === undefined) throw new Error(`job ${seq} is nowhere in the journal`);
        const unwritten = readUnwritten(location);
        if (unwritten === null) placed.push({ seq, location });
        else found.set(seq, unwritten);
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
