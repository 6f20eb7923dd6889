import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { Logger } from "../../../log.ts";
import { collectGarbage } from "../../../runtime.ts";
import { damaged, refused } from "./damage.ts";
import { readFully } from "./files.ts";
import type { Files } from "./files.ts";
import { listSegments } from "./folder.ts";
import { createRecovered } from "./recovered.ts";
import type { Recovered } from "./recovered.ts";
import { findProof, scanSegment } from "./scan.ts";
import type { ScanEnd, ScanOptions } from "./scan.ts";
import { createSegment, decodeHeader, formatVersion, headerBytes, seedOf, segmentBytes } from "./segment.ts";
import type { Segment } from "./segment.ts";

/** A journal that was read to its end. */
export interface Replayed {
  readonly segments: Map<number, Segment>;
  /** The one to go on in; null when the next begins a new one. */
  readonly current: Segment | null;
  readonly nextNumber: number;
  readonly lastLsn: number;
  readonly recovered: Recovered;
}

export interface ReplayOptions {
  readonly folder: string;
  readonly storeId: string;
  readonly files: Files;
  readonly dedupTtlMs: number;
  readonly now: number;
  readonly log: Logger;
}

/** How often a long recovery says how far it is. */
const sayEveryMs = 2_000;

/**
 * Reads the journal of a store that nobody else uses, and cuts off what a crash left unfinished.
 *
 * Only the end of the last segment may be bad, and only when nothing behind it says that it had been synced. Anything
 * else is damage to what was confirmed: nothing is changed and ConfigError names file and offset.
 */
export async function replay(options: ReplayOptions): Promise<Replayed> {
  const { folder, files, log } = options;
  const names = await listSegments(folder);
  const segments = new Map<number, Segment>();
  const recovered = createRecovered(segments, options.dedupTtlMs, options.now);
  let lastLsn = 0;
  let said = performance.now();
  let last: { readonly segment: Segment; readonly end: ScanEnd } | null = null;
  try {
    for (const [index, name] of names.entries()) {
      const path = join(folder, "journal", name);
      const isLast = index === names.length - 1;
      if (last !== null && !last.end.isSealed) {
        throw damaged(last.segment.path, last.end.offset, "the segment has no end, but others follow it");
      }
      const read = await readSegment(path, isLast, last, segments, recovered, options);
      if (read === null) break;
      last = read;
      lastLsn = read.end.lastLsn;
      // A hundred thousand records were read, each with an object or two.
      if (read.end.size > segmentBytes / 2) collectGarbage();
      if (performance.now() - said < sayEveryMs) continue;
      said = performance.now();
      log.info("reading the journal", {
        segments: index + 1,
        of: names.length,
        jobs: recovered.locations.size,
      });
    }
  } catch (error) {
    for (const { fd } of segments.values()) await files.close(fd);
    throw error;
  }
  const numbers = [...segments.keys()];
  return {
    segments,
    current: last === null || last.end.isSealed ? null : last.segment,
    nextNumber: Math.max(0, ...numbers) + 1,
    lastLsn,
    recovered,
  };
}

/** Reads one segment; null for one that a crash left without a header. */
async function readSegment(
  path: string,
  isLast: boolean,
  previous: { readonly segment: Segment; readonly end: ScanEnd } | null,
  segments: Map<number, Segment>,
  recovered: Recovered,
  { files, storeId, log, folder }: ReplayOptions,
): Promise<{ segment: Segment; end: ScanEnd } | null> {
  const fd = await files.open(path, "r+");
  const size = await files.size(path);
  const firstLsn = Number.parseInt(path.slice(-20, -4), 16);
  const scan: ScanOptions = { files, fd, size, seed: seedOf(storeId), firstLsn };
  const bytes = Buffer.alloc(headerBytes);
  const length = await readFully(files, fd, bytes, headerBytes, 0);
  const header = decodeHeader(bytes.subarray(0, length));
  const segment = createSegment({ number: header?.number ?? 0, firstLsn }, path, fd);
  if (header === null) {
    const isTorn = isLast && !(await findProof(scan, 0, firstLsn));
    await files.close(fd);
    if (!isTorn) throw damaged(path, 0, "the segment's header cannot be read");
    log.warn("a segment that a crash left without a header was removed", { path, bytes: size });
    await files.remove(path);
    await files.syncFolder(join(folder, "journal"));
    return null;
  }
  segments.set(header.number, segment);
  if (header.version > formatVersion) {
    throw refused(
      `${path} has format ${header.version}, and this version reads up to ${formatVersion}: use the newer hookline`,
    );
  }
  if (header.storeId !== storeId) throw damaged(path, 12, "the segment belongs to another store");
  const expectedLsn = previous === null ? firstLsn : previous.end.lastLsn + 1;
  const expectedNumber = previous === null ? header.number : previous.segment.number + 1;
  if (header.firstLsn !== firstLsn || firstLsn !== expectedLsn || header.number !== expectedNumber) {
    throw damaged(path, 28, "a segment before this one is missing, or this one stands under another's name");
  }
  const end = await scanSegment(scan, (record, reader, offset) => {
    try {
      recovered.apply(record, reader, segment, offset);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw damaged(path, offset, error.message);
    }
  });
  segment.bytes = end.offset;
  if (end.offset === size) return { segment, end };
  if (!isLast || end.isSealed || (await findProof(scan, end.offset, end.lastLsn + 1))) {
    throw damaged(path, end.offset, "a record that had been confirmed cannot be read");
  }
  log.warn("the end of the journal was not finished when the process died, and is cut off", {
    path,
    offset: end.offset,
    bytes: size - end.offset,
  });
  await files.truncate(fd, end.offset);
  return { segment, end };
}
