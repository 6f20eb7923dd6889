import type { Clock } from "../../../../clock.ts";

/**
 * The messages of one SQS queue whose jobs have ended: delivered, or all copies that had to be written are
 * confirmed. Only their deletion is left. SQS may hand them out again before it, and standard queues may even
 * after it; they are deleted then, and never handed out.
 *
 * Bounded: the oldest are forgotten first. A process that dies forgets all of them, and what it had not deleted is
 * delivered once more by another.
 */
export interface Ended {
  /** The job has ended. True the first time that this is said of the message. */
  add(messageId: string): boolean;
  has(messageId: string): boolean;
  /** SQS did not delete it, or did not say so. */
  failed(messageId: string): void;
  deleted(messageId: string): void;
  /** What SQS did not delete when it was asked: how many, and since when (epoch ms); null = nothing. */
  undeleted(): { readonly count: number; readonly since: number } | null;
}

export interface EndedLimits {
  readonly undeleted: number;
  readonly deleted: number;
}

const standardLimits: EndedLimits = { undeleted: 100_000, deleted: 10_000 };

/** A message that was not seen for so long has gone another way, and is no trouble any more. */
const troubleMs = 600_000;

export function createEnded(clock: Clock, limits = standardLimits): Ended {
  /** When its deletion first failed and last did, epoch ms; 0 while it is only on its way. */
  const undeleted = new Map<string, { readonly since: number; readonly last: number }>();
  const deleted = new Set<string>();

  return {
    add(messageId) {
      if (undeleted.has(messageId) || deleted.has(messageId)) return false;
      undeleted.set(messageId, { since: 0, last: 0 });
      trim(undeleted, limits.undeleted);
      return true;
    },
    has: (messageId) => undeleted.has(messageId) || deleted.has(messageId),
    failed(messageId) {
      const now = clock.now();
      const since = undeleted.get(messageId)?.since ?? 0;
      undeleted.set(messageId, { since: since === 0 ? now : since, last: now });
      trim(undeleted, limits.undeleted);
    },
    deleted(messageId) {
      undeleted.delete(messageId);
      deleted.add(messageId);
      trim(deleted, limits.deleted);
    },
    undeleted() {
      const now = clock.now();
      let count = 0;
      let first = Infinity;
      for (const { since, last } of undeleted.values()) {
        if (since === 0 || now - last > troubleMs) continue;
        count += 1;
        first = Math.min(first, since);
      }
      return count === 0 ? null : { count, since: first };
    },
  };
}

/** Removes the oldest entry when there are more than `limit`. */
function trim(all: Map<string, unknown> | Set<string>, limit: number): void {
  if (all.size <= limit) return;
  for (const oldest of all.keys()) {
    all.delete(oldest);
    return;
  }
}
