import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readFully } from "./files.ts";
import type { Files } from "./files.ts";
import { listSegments } from "./folder.ts";
import { createRecovered } from "./recovered.ts";
import type { Recovered } from "./recovered.ts";
import { findNext, findProof, scanSegment } from "./scan.ts";
import type { ScanOptions } from "./scan.ts";
import { createSegment, decodeHeader, headerBytes, seedOf } from "./segment.ts";
import type { Segment } from "./segment.ts";
import { readBody } from "./snapshots.ts";
import type { Stored } from "./bodies.ts";

/** One thing that is wrong with a store. */
export interface Damage {
  readonly path: string;
  readonly offset: number;
  readonly problem: string;
}

/** A job's bytes as they are stored. */
export interface StoredParts extends Stored {
  /** How the body goes on, and a number that is the same for all that share it; null where it does not. */
  readonly tail: { readonly text: string; readonly place: string } | null;
}

/** All that can be read of a store, whatever state it is in. */
export interface Survey {
  readonly recovered: Recovered;
  readonly damages: readonly Damage[];
  /** The end of the last segment that a crash, or a process that still writes, left unfinished; null when there is none. */
  readonly unfinished: Damage | null;
  readonly segments: ReadonlyMap<number, Segment>;
  readonly records: number;
  /** The bytes of a job or dead letter. */
  read(seq: number): Promise<Stored>;
  /** The same in two parts, where its body ends as others do. */
  readParts(seq: number): Promise<StoredParts>;
  close(): Promise<void>;
}

/**
 * Reads a store without changing anything: every record that is good, and a list of what is not.
 *
 * A process may have it open meanwhile: then the list is of a moment.
 */
export async function surveyStore(folder: string, files: Files): Promise<Survey> {
  const damages: Damage[] = [];
  const segments = new Map<number, Segment>();
  const recovered = createRecovered(segments, Infinity, 0);
  const opened: number[] = [];
  let unfinished: Damage | null = null;
  let records = 0;
  const names = await listSegments(folder);
  const storeId = (await readIdFrom(folder)) ?? (await readIdFromHeaders(folder, names, files));
  if ((await readIdFrom(folder)) === null) {
    damages.push({ path: join(folder, "store.json"), offset: 0, problem: "it cannot be read" });
  }
  const seed = seedOf(storeId ?? "00".repeat(16));
  let lastLsn: number | null = null;

  for (const [index, name] of names.entries()) {
    const path = join(folder, "journal", name);
    const note = (offset: number, problem: string): void => void damages.push({ path, offset, problem });
    const fd = await files.open(path, "r");
    opened.push(fd);
    const size = await files.size(path);
    const named = Number.parseInt(name.slice(0, 16), 16);
    const bytes = Buffer.alloc(headerBytes);
    const header = decodeHeader(bytes.subarray(0, await readFully(files, fd, bytes, headerBytes, 0)));
    if (header === null) note(0, "the segment's header cannot be read");
    else if (header.storeId !== storeId) note(12, "the segment belongs to another store");
    if (lastLsn !== null && named !== lastLsn + 1) note(0, "a segment before this one is missing");
    const number = header?.number ?? Math.max(0, ...segments.keys()) + 1;
    const segment = createSegment({ number, firstLsn: named }, path, fd);
    segments.set(number, segment);

    let scan: ScanOptions = { files, fd, size, seed, firstLsn: named };
    for (;;) {
      const end = await scanSegment(scan, (record, reader, offset) => {
        records += 1;
        try {
          recovered.apply(record, reader, segment, offset);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          note(offset, error.message);
        }
      });
      lastLsn = end.lastLsn;
      segment.bytes = end.offset;
      if (end.offset >= size) break;
      const isTail = index === names.length - 1 && !(await findProof(scan, end.offset, end.lastLsn + 1));
      const damage = { path, offset: end.offset, problem: "a record cannot be read" };
      if (isTail) unfinished = { ...damage, problem: `${size - end.offset} bytes are not finished` };
      else damages.push(damage);
      const next = await findNext(scan, end.offset + 1);
      if (next === null || isTail) break;
      scan = { ...scan, from: next.offset, firstLsn: next.lsn };
    }
  }

  const readAt = async (fd: number, length: number, offset: number): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafe(length);
    await readFully(files, fd, bytes, length, offset);
    return bytes;
  };
  let lastTail = { text: "", place: "" };
  const readParts = async (seq: number): Promise<StoredParts> => {
    const location = recovered.locations.get(seq);
    if (location === undefined) throw new Error(`job ${seq} is nowhere in the journal`);
    const { segment, offset, length } = location;
    const { id, body, tail } = readBody(await readAt(segment.fd, length, offset));
    if (tail === null) return { id, body, tail };
    const place = `${segment.number}:${offset - tail.back}`;
    if (lastTail.place !== place) {
      const bytes = await readAt(segment.fd, tail.length, offset - tail.back);
      lastTail = { text: bytes.toString("utf8"), place };
    }
    return { id, body, tail: lastTail };
  };

  return {
    recovered,
    damages,
    unfinished,
    segments,
    records,
    async read(seq) {
      const { id, body, tail } = await readParts(seq);
      return { id, body: tail === null ? body : `${String(body)}${tail.text}` };
    },
    readParts,
    async close() {
      for (const fd of opened) await files.close(fd);
    },
  };
}

async function readIdFrom(folder: string): Promise<string | null> {
  try {
    const { id } = JSON.parse(await readFile(join(folder, "store.json"), "utf8")) as { id?: unknown };
    return typeof id === "string" && /^[0-9a-f]{32}$/.test(id) ? id : null;
  } catch {
    // Missing or broken: the segments' headers say it too.
    return null;
  }
}

async function readIdFromHeaders(
  folder: string,
  names: readonly string[],
  files: Files,
): Promise<string | null> {
  for (const name of names) {
    const fd = await files.open(join(folder, "journal", name), "r");
    const bytes = Buffer.alloc(headerBytes);
    const header = decodeHeader(bytes.subarray(0, await readFully(files, fd, bytes, headerBytes, 0)));
    await files.close(fd);
    if (header !== null) return header.storeId;
  }
  return null;
}
