import type { Clock } from "../../../clock.ts";
import { QueueBrokenError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { Operation } from "./operation.ts";

/**
 * Whether Redis refuses what this queue needs: a key of another type, a right that is missing. Other queues go on.
 *
 * The trouble begins with the first such refusal, or with what the start finds, and is over when none stands: an operation
 * that failed has worked since, or nobody has tried it for a while and an examination of the queue's keys and rights finds
 * nothing wrong.
 */
export interface QueueTrouble {
  failed(operation: Operation, error: unknown): void;
  worked(operation: Operation): void;
  findings(): readonly Finding[];
  close(): void;
}

export interface QueueTroubleOptions {
  readonly queue: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is wrong with the queue's keys and rights, one sentence; null when nothing is. Rejects when nobody knows. */
  readonly examine: () => Promise<string | null>;
}

const examineEveryMs = 1_000;
/** Longer than any loop waits before it tries again. */
const forgottenAfterMs = 6_000;

export function createQueueTrouble(options: QueueTroubleOptions): QueueTrouble {
  const { queue, clock, log, examine } = options;
  /** Operation → when it was refused last. */
  const standing = new Map<Operation, number>();
  let since = 0;
  /** What Redis said last, and what the examination found. */
  let said = "";
  let found: string | null = null;
  let timer: ReturnType<typeof setInterval> | undefined;
  let examining = false;
  let closed = false;

  const end = (): void => {
    clearInterval(timer);
    timer = undefined;
    log.info("redis: the queue works again", { queue, duration_ms: clock.now() - since });
  };

  const clear = (operation: Operation): void => {
    if (standing.delete(operation) && standing.size === 0) end();
  };

  const look = async (): Promise<void> => {
    if (examining) return;
    examining = true;
    try {
      const isNews = found === null;
      found = await examine();
      if (closed || standing.size === 0) return;
      if (found !== null && isNews) log.warn("redis: the queue is broken", { queue, why: found });
      const now = clock.monotonic();
      if (found !== null) return;
      for (const [operation, at] of standing) {
        if (operation === "examining the queue" || now - at >= forgottenAfterMs) clear(operation);
      }
    } catch (error) {
      // The server is away: then this is not what is wrong, and the next look tells.
      log.debug("redis: the queue could not be examined", { queue, error });
    } finally {
      examining = false;
    }
  };

  return {
    failed(operation, error) {
      if (closed || !(error instanceof QueueBrokenError)) return;
      said = error.message;
      if (standing.size === 0) {
        since = clock.now();
        found = null;
        log.warn("redis refuses what this queue needs; trying again until it works", {
          queue,
          operation,
          error,
        });
        timer = setInterval(() => void look(), examineEveryMs);
        void look();
      }
      standing.set(operation, clock.monotonic());
    },
    worked(operation) {
      if (standing.size > 0) clear(operation);
    },
    findings() {
      if (standing.size === 0) return [];
      const detail = found === null ? said : `${found} (${said})`;
      return [{ kind: "queue_broken", object: queue, since, detail: detail.slice(0, 500) }];
    },
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
