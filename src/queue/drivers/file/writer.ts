import { writeAll } from "./files.ts";
import type { Files } from "./files.ts";
import { createPen } from "./pen.ts";
import type { Pen } from "./pen.ts";
import { beginRecord, endRecord, types } from "./record.ts";
import { encodeHeader, formatVersion } from "./segment.ts";
import type { Segment } from "./segment.ts";

/** Records that are written with one call. */
export interface Group {
  readonly segment: Segment;
  /** Where in the segment it begins. */
  readonly base: number;
  readonly pen: Pen;
  /** The segment that is sealed before this group is written, and the seal's lsn; null within one segment. */
  readonly sealing: { readonly segment: Segment | null; readonly lsn: number } | null;
  lastLsn: number;
  readonly waiters: Waiter[];
}

/** Somebody who waits until a group is safe. */
export interface Waiter {
  done(): void;
  fail(error: Error): void;
}

export interface WriterOptions {
  readonly folder: string;
  readonly storeId: string;
  /** What checksums start from. */
  readonly seed: number;
  readonly files: Files;
  /** False: nothing is ever synced. */
  readonly syncs: boolean;
  readonly now: () => number;
  /** The disk is full: resolves when writing may be tried again. */
  readonly onFull: (error: Error) => Promise<void>;
}

/** Brings groups to their files; one call at a time. Every error that it throws means that nothing more is known. */
export interface Writer {
  /** All bytes are down, in a new segment if the group begins one. */
  write(group: Group): Promise<void>;
  sync(segment: Segment): Promise<void>;
}

export function createWriter(options: WriterOptions): Writer {
  const { files, seed } = options;

  /** Does something that needs room on the disk, again and again until there is. */
  const patiently = async (work: () => Promise<void>): Promise<void> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
        await options.onFull(error as Error);
      }
    }
  };

  /** A failed sync is never tried again: the kernel has marked the pages clean, and a second one would lie. */
  const sync = async (segment: Segment): Promise<void> => {
    if (!options.syncs) return;
    try {
      await files.sync(segment.fd);
    } catch (error) {
      throw new Error(`fdatasync of ${segment.path} failed: ${String(error)}`, { cause: error });
    }
  };

  const seal = async (segment: Segment, lsn: number): Promise<void> => {
    const pen = createPen(64);
    const at = beginRecord(pen, types.seal, 0, 0, lsn);
    pen.f64(segment.bytes);
    endRecord(pen, at, seed);
    const bytes = pen.view();
    await patiently(() => writeAll(files, segment.fd, bytes, segment.bytes));
    segment.bytes += bytes.length;
    await sync(segment);
  };

  /** The old segment's seal is synced before the new one's header, and that and the folder before its first record. */
  const roll = async (segment: Segment, sealing: NonNullable<Group["sealing"]>): Promise<void> => {
    if (sealing.segment !== null) await seal(sealing.segment, sealing.lsn);
    const { number, firstLsn, path } = segment;
    const createdAt = options.now();
    const { storeId } = options;
    const header = encodeHeader({ version: formatVersion, storeId, number, firstLsn, createdAt });
    await patiently(async () => {
      if (segment.fd === -1) segment.fd = await files.open(path, "wx+");
    });
    await patiently(() => writeAll(files, segment.fd, header, 0));
    await sync(segment);
    if (options.syncs) await files.syncFolder(`${options.folder}/journal`);
  };

  return {
    async write({ segment, base, pen, sealing }) {
      const bytes = pen.view();
      if (sealing !== null) await roll(segment, sealing);
      await patiently(() => writeAll(files, segment.fd, bytes, base));
      segment.bytes = base + bytes.length;
    },
    sync,
  };
}
