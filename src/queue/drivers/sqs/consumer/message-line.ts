import type { HeldMessage } from "../message.ts";

/**
 * A line is a FIFO group; on a standard queue each message is a line of its own. Only its head is ever
 * handed out: the next message follows when the head's settlement is confirmed, so that order within a group
 * is the order of delivery and lines run in parallel.
 *
 *     ready ──offer──▶ offered ──grant──▶ leased ──▶ settling ──next──▶ ready, or gone when it was the last
 *       ▲ ▲                                 │ │          │
 *       │ └── delayed ◀──── delay ──────────│─│──────────┤
 *       │      (dueAt)                      │ └──revert──┘ (fate unknown: still leased)
 *       ├──── parked ◀───── park ───────────┤
 *       │    (key open)                     end (its job has ended, its deletion failed)
 *       └──── ended ◀───────────────────────┘
 *      next (deleted)                     any ──drop──▶ gone: SQS hands its messages out again
 */
export interface MessageLine {
  readonly key: string;
  /** In order of sending; the first is the head, the others wait behind it. */
  readonly messages: HeldMessage[];
  state: "ready" | "offered" | "leased" | "settling" | "delayed" | "parked" | "ended" | "gone";
  /** Monotonic ms of the last change of state. */
  since: number;
  /** The current lease's; null unless leased or settling. */
  token: string | null;
  leasedUntil: number;
  /** Logical queue the head was leased under. */
  leasedFor: string;
  dueAt: number;
  parkKey: string | null;
}
