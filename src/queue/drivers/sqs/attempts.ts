/**
 * What this process remembers of messages that are not in its hands: SQS keeps no attempts, no due times
 * beyond 12 hours and no parking keys. Its ApproximateReceiveCount also counts deferrals, group mates
 * received again and other consumers, so it is an upper bound at best.
 *
 * After a restart all is forgotten: more attempts, never fewer; a delayed job is tried early, never late.
 */
export interface AttemptMemory {
  /** The message's record; an empty one, not yet kept, when there is none. */
  recall(messageId: string): Readonly<Memory>;
  /** Changes the record and keeps it. */
  remember(messageId: string, change: Partial<Memory>): void;
  forget(messageId: string): void;
  readonly size: number;
}

export interface Memory {
  /** Attempts charged. */
  readonly attempts: number;
  /** How long it has been failing since its first attempt here; what it waited for others is left out. */
  readonly failingMs: number;
  /** Monotonic ms before which it must not be handed out; 0 = none. */
  readonly dueAt: number;
  /** Key it is parked under while it is hidden in SQS. */
  readonly parkKey: string | null;
  /** Times it was hidden for its key, so that the pauses can grow. */
  readonly parkedTimes: number;
  /** Times it was put back because this process could not route it. */
  readonly putBacks: number;
  /** Fan-out: ids of children that SQS has confirmed. */
  readonly childrenSent: ReadonlySet<string>;
}

const emptyMemory: Memory = {
  attempts: 0,
  failingMs: 0,
  dueAt: 0,
  parkKey: null,
  parkedTimes: 0,
  putBacks: 0,
  childrenSent: new Set(),
};

/** The in-flight quota of a standard queue: more messages than that cannot be under way. */
const maxRemembered = 120_000;

export function createAttemptMemory(limit = maxRemembered): AttemptMemory {
  const all = new Map<string, Memory>();
  return {
    recall: (messageId) => all.get(messageId) ?? emptyMemory,
    remember(messageId, change) {
      const next = { ...(all.get(messageId) ?? emptyMemory), ...change };
      // Set anew, so that the oldest untouched record is the first of the map.
      all.delete(messageId);
      all.set(messageId, next);
      if (all.size <= limit) return;
      for (const oldest of all.keys()) {
        all.delete(oldest);
        break;
      }
    },
    forget: (messageId) => void all.delete(messageId),
    get size() {
      return all.size;
    },
  };
}
