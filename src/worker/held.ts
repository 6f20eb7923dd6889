import type { Cut } from "../delivery/cut.ts";
import type { Disposition, Lease } from "../queue/driver.ts";

/**
 * A lease this process holds.
 *
 *     waiting ──granted──▶ running ──settle──▶ settling ──confirmed──▶ gone
 *        └───────────settle (release, park, …)───┘
 *     any but settling ──lost──▶ gone
 */
export interface Held {
  readonly lease: Lease;
  /** What was enqueued, once it is decoded; until then the id the driver gave. */
  jobId: string;
  /** The job's own id, to be stored at the next settlement that keeps it; null = the stored one is right. */
  learntId: string | null;
  state: "waiting" | "running" | "settling" | "gone";
  /** Monotonic ms at which the lease has run out unless it is extended before. */
  expiresAt: number;
  /** Cuts the attempt in flight off; set while running. */
  cut: Cut | null;
  /** Hands the lease's end to its queue's settler; does nothing when it is settling or gone. */
  settle(disposition: Disposition): void;
}

/** Every lease of one queue that this process holds: what the heartbeat renews and shutdown gives back. */
export interface HeldLeases {
  add(lease: Lease, expiresAt: number): Held;
  /** The lease is no longer ours, or its settlement is confirmed. */
  remove(held: Held): void;
  /** The lease ended although we still wanted it: drops it and cuts its attempt off. */
  lose(held: Held): void;
  values(): Iterable<Held>;
  readonly size: number;
}

/** @param settle Takes a lease's end; must keep it until it is confirmed (settler.ts). */
export function createHeldLeases(settle: (held: Held, disposition: Disposition) => void): HeldLeases {
  const all = new Set<Held>();
  const remove = (held: Held): void => {
    held.state = "gone";
    all.delete(held);
  };
  return {
    add(lease, expiresAt) {
      const held: Held = {
        lease,
        jobId: lease.job.id,
        learntId: null,
        state: "waiting",
        expiresAt,
        cut: null,
        settle: (disposition) => settle(held, disposition),
      };
      all.add(held);
      return held;
    },
    remove,
    lose(held) {
      remove(held);
      held.cut?.cut();
    },
    values: () => all.values(),
    get size() {
      return all.size;
    },
  };
}
