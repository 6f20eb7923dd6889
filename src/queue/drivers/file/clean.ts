import { join } from "node:path";
import { sleep } from "../../../wait.ts";
import type { Logger } from "../../../log.ts";
import type { Files } from "./files.ts";
import { createRewrite } from "./rewrite.ts";
import type { RewriteOptions } from "./rewrite.ts";
import { scanSegment } from "./scan.ts";
import type { Segment } from "./segment.ts";

/** Gives room back. */
export interface Cleaner {
  /** Looks whether the oldest segment can go; to be called when something was written. Returns at once. */
  look(): void;
  /** Resolves when no cleaning is under way, and none begins any more. */
  close(): Promise<void>;
}

export interface CleanerOptions extends RewriteOptions {
  readonly folder: string;
  readonly seed: number;
  readonly files: Files;
  readonly segments: Map<number, Segment>;
  readonly log: Logger;
  /** A store may be so much larger than four times what lives in it. */
  readonly slackBytes: number;
  /** Whether room is short: then nothing is left lying for later. */
  readonly isShort: () => boolean;
}

/** What a store keeps for itself even then: names, modes, deduplication keys. */
const shortSlack = 64 * 1024;
/** Bytes a second that cleaning reads at least; beyond it half of what is appended. */
const slowest = 8 * 1024 * 1024;

/**
 * Removes the oldest segment, and only ever that: later ones hold the acks that its jobs need.
 *
 * It goes when nothing in it lives, or while the store is larger than four times what lives, and some slack that is 0
 * while room is short: then what lives in it is appended anew under the same sequence number first. Before the file goes, everything appended so far
 * is synced: what ended or moved its jobs must not be lost when they are.
 */
export function createCleaner(options: CleanerOptions): Cleaner {
  const { files, segments, journal, clock, log } = options;
  const rewrite = createRewrite(options);
  let running: Promise<void> | null = null;
  let isClosed = false;

  const total = (of: (segment: Segment) => number): number =>
    [...segments.values()].reduce((sum, segment) => sum + of(segment), 0);

  const oldest = (): Segment | undefined => {
    const [first] = segments.values();
    return first === journal.current ? undefined : first;
  };

  const isDead = ({ live, dedupUntil }: Segment): boolean => live === 0 && dedupUntil <= clock.now();
  const isTooLarge = (): boolean =>
    total(({ bytes }) => bytes) >
    4 * total(({ liveBytes }) => liveBytes) + (options.isShort() ? shortSlack : options.slackBytes);

  /** Where room is short and the only segment is full of what is over, it has to become an old one first. */
  const rollIfShort = (): void => {
    const { current } = journal;
    if (!options.isShort() || segments.size > 1 || current === null) return;
    if (current.bytes > shortSlack + 4 * current.liveBytes) journal.roll();
  };

  const isDue = (): boolean => {
    const first = oldest();
    return !isClosed && first !== undefined && (isDead(first) || isTooLarge());
  };

  const rewriteAll = async (segment: Segment): Promise<void> => {
    const started = clock.monotonic();
    const before = total(({ bytes }) => bytes);
    let read = 0;
    const pace = async (bytes: number): Promise<void> => {
      await journal.room();
      const seconds = (clock.monotonic() - started) / 1_000;
      const appended = total((one) => one.bytes) - before;
      const allowed = Math.max(slowest * seconds, appended / 2);
      if (read > allowed) await sleep(((read - allowed) / slowest) * 1_000);
      read += bytes;
    };
    const { fd, bytes: size, firstLsn } = segment;
    const end = await scanSegment(
      { files, fd, size, seed: options.seed, firstLsn, pace },
      (record, _reader, offset, window) => rewrite(segment, record, offset, window),
    );
    if (end.offset < size)
      throw new Error(`${segment.path}, offset ${end.offset}: a record cannot be read any more`);
  };

  const removeOldest = async (segment: Segment): Promise<void> => {
    if (!isDead(segment)) await rewriteAll(segment);
    await journal.safe();
    if (segment.live > 0) throw new Error(`${segment.path} still holds ${segment.live} jobs after cleaning`);
    segments.delete(segment.number);
    await files.remove(segment.path);
    await files.syncFolder(join(options.folder, "journal"));
    while (segment.readers > 0) await sleep(5);
    await files.close(segment.fd);
    log.debug("a segment was removed", { path: segment.path });
  };

  const run = async (): Promise<void> => {
    while (isDue()) await removeOldest(oldest() as Segment);
  };

  return {
    look() {
      if (!isClosed) rollIfShort();
      if (running !== null || !isDue()) return;
      running = run()
        .catch((error: unknown) => {
          log.error("the journal could not be cleaned; it grows until that is mended", { error });
        })
        .finally(() => {
          running = null;
        });
    },
    async close() {
      isClosed = true;
      await running;
    },
  };
}
