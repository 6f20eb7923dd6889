import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../../clock.ts";
import { sleep } from "../../../wait.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { createRoomWatch } from "../../room-watch.ts";
import { writeAll } from "./files.ts";
import type { Files } from "./files.ts";

/** The room that a store has on its disk. */
export interface Space {
  /** Why nothing more is taken in; null while there is room. */
  readonly refusal: string | null;
  /** The disk is really full and the reserve is spent: nothing can be written, so that nothing is to be leased. */
  readonly isStuck: boolean;
  /** To be called when something was written; looks at the disk now and then. */
  written(): void;
  /** The disk refused a write: gives the reserve up, or waits a moment. */
  onFull(error: Error): Promise<void>;
  /** Looks at the disk now. */
  look(): Promise<void>;
  /** What the disk had left when it was last looked at. */
  readonly freeBytes: number;
  /** `backend_refuses_writes` for each queue while nothing is taken in; `store_nearly_full` before, of the store as a whole. */
  findings(queues: readonly string[]): Finding[];
  /** Resolves when no file is open any more. */
  close(): Promise<void>;
}

export interface SpaceOptions {
  readonly folder: string;
  readonly files: Files;
  readonly minFreeBytes: number;
  /** Null = as much as the disk has. */
  readonly maxBytes: number | null;
  /** What the journal takes now. */
  readonly storeBytes: () => number;
  /** Called at every look while there is no room. */
  readonly onShort: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Given up when the disk is full, so that acks can still be written. */
const reserveBytes = 16 * 1024 * 1024;
/** How often the disk is looked at while something is written or it is full. */
const everyMs = 500;
/** And while nothing is missing but the reserve. */
const reserveEveryMs = 5_000;

/**
 * Watches the disk. An idle store looks at nothing.
 *
 *     room ──(below min_free_mb, or above max_bytes)──▶ full: enqueue 503, deliveries go on ──(room again)──▶ room
 *     full ──(the disk refuses a write)──▶ reserve given up ──(it refuses again)──▶ stuck: nothing is leased
 */
export function createSpace(options: SpaceOptions): Space {
  const { folder, files, clock, log } = options;
  const reservePath = join(folder, "reserve");
  const closed = new AbortController();
  const room = createRoomWatch(clock);
  let refusal: string | null = null;
  let since = 0;
  let freeBytes = Infinity;
  let usedAtLook = 0;
  let isStuck = false;
  let hasReserve = existsSync(reservePath);
  let timer: ReturnType<typeof setTimeout> | null = null;
  let looking: Promise<void> | null = null;

  const refuse = (reason: string): void => {
    if (refusal === null) {
      since = clock.now();
      log.warn("the store takes in no more jobs until there is room; deliveries go on", { folder, reason });
    }
    refusal = reason;
  };

  const lookNow = async (): Promise<void> => {
    const free = await files.freeBytes(folder);
    freeBytes = free;
    const used = options.storeBytes();
    usedAtLook = used;
    const { minFreeBytes, maxBytes } = options;
    if (maxBytes !== null && used >= maxBytes) {
      refuse(`the store has ${inMebibytes(used)} MiB, queue.file.max_bytes allows ${inMebibytes(maxBytes)}`);
    } else if (free < minFreeBytes || isStuck) {
      refuse(
        `the disk has ${inMebibytes(free)} MiB left, queue.file.min_free_mb keeps ${inMebibytes(minFreeBytes)}`,
      );
    } else if (refusal !== null) {
      refusal = null;
      log.info("the store has room again and takes jobs in", { folder });
    }
    if (!hasReserve && !isStuck && free >= 2 * reserveBytes) await makeReserve();
  };

  const makeReserve = async (): Promise<void> => {
    try {
      await writeReserve(files, reservePath);
      hasReserve = true;
    } catch (error) {
      // Nothing depends on it until the disk is full; the next look tries again.
      log.debug("the reserve could not be written", { folder, error });
    }
  };

  const look = (): Promise<void> => {
    looking ??= lookNow()
      .catch((error: unknown) => log.warn("the disk's free space could not be read", { folder, error }))
      .finally(() => {
        looking = null;
        if (refusal !== null) options.onShort();
        if (refusal !== null) lookIn(everyMs);
        else if (!hasReserve) lookIn(reserveEveryMs);
      });
    return looking;
  };

  const lookIn = (ms: number): void => {
    if (closed.signal.aborted || timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      void look();
    }, ms);
  };

  return {
    get refusal() {
      return refusal;
    },
    get isStuck() {
      return isStuck;
    },
    written() {
      if (isStuck) {
        isStuck = false;
        log.info("the disk takes writes again", { folder });
      }
      const used = options.storeBytes();
      const { maxBytes, minFreeBytes } = options;
      // Between two looks a fast producer could write many times what is kept free.
      const isNear =
        freeBytes - (used - usedAtLook) < minFreeBytes || (maxBytes !== null && used >= maxBytes);
      if (isNear && refusal === null) void look();
      else lookIn(everyMs);
    },
    async onFull(cause) {
      refuse(`the disk is full: ${cause.message}`);
      lookIn(everyMs);
      if (hasReserve) {
        hasReserve = false;
        log.warn("the disk is full; the reserve is given up for what is delivered", { folder });
        return removeIfThere(files, reservePath);
      }
      if (!isStuck)
        log.error("the disk is full and the reserve is spent: nothing is leased until there is room", {
          folder,
        });
      isStuck = true;
      await sleep(everyMs, closed.signal);
      if (closed.signal.aborted) throw cause;
    },
    look,
    get freeBytes() {
      return freeBytes;
    },
    findings(queues) {
      const detail = refusal;
      if (detail === null) {
        const used = options.storeBytes();
        const { maxBytes } = options;
        return room.finding("", used, maxBytes, () => {
          return `the store has ${inMebibytes(used)} of the ${inMebibytes(maxBytes ?? 0)} MiB that queue.file.max_bytes allows`;
        });
      }
      return queues.map((object) => ({ kind: "backend_refuses_writes", object, since, detail }));
    },
    async close() {
      closed.abort();
      if (timer !== null) clearTimeout(timer);
      // It may be writing the reserve.
      await looking;
    },
  };
}

async function removeIfThere(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
}

/** Zeros that were really written: a hole would reserve nothing. */
async function writeReserve(files: Files, path: string): Promise<void> {
  await removeIfThere(files, path);
  const fd = await files.open(path, "wx+");
  try {
    const part = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < reserveBytes; at += part.length) await writeAll(files, fd, part, at);
  } catch (error) {
    await files.remove(path);
    throw error;
  } finally {
    await files.close(fd);
  }
}

function inMebibytes(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1);
}
