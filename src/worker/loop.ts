import type { Clock } from "../clock.ts";
import { Cut } from "../delivery/cut.ts";
import type { Decision, DecidableOutcome } from "../delivery/decide.ts";
import { describeOutcome, type Outcome } from "../delivery/outcome.ts";
import type { Disposition } from "../queue/driver.ts";
import type { ChildContext } from "../supervisor/child.ts";
import type { Delivery, RecordAttempt } from "./delivery.ts";
import type { Grant } from "./schedule/grants.ts";
import type { Scheduler } from "./schedule/scheduler.ts";

export interface LoopOptions {
  readonly take: Scheduler["take"];
  readonly clock: Clock;
  /** Longest wait for a turn; shorter than the stall limit. */
  readonly waitMs: number;
  /** Makes one attempt; never rejects but for a bug. */
  readonly attempt: (delivery: Delivery, cut: Cut) => Promise<Outcome>;
  readonly decide: (delivery: Delivery, outcome: DecidableOutcome) => Decision;
  readonly record: RecordAttempt;
  /** Delay after an attempt whose outcome we do not know because its loop crashed. */
  readonly crashDelayMs: (delivery: Delivery) => number;
  readonly isDraining: () => boolean;
  /** False: the configuration has been replaced since the delivery was planned, and may plan its job otherwise. */
  readonly isCurrent: (delivery: Delivery) => boolean;
  /** Plans the job of a delivery again that has not been attempted. */
  readonly planAgain: (delivery: Delivery) => void;
}

/**
 * One worker loop: take a turn, attempt, settle.
 *
 *     waiting ──grant──▶ attempting ──outcome──▶ settling (handed over) ──▶ waiting
 *                            └──crash, stall, restart──▶ its job is tried again, one attempt charged
 */
export function createLoop(options: LoopOptions): (context: ChildContext) => Promise<void> {
  const { take, clock } = options;

  return async (context) => {
    let inHand: { grant: Grant; cut: Cut } | null = null;
    // However this run ends, what it holds is given back; an abandoned run settles nothing afterwards.
    context.onEnd(() => {
      if (inHand === null) return;
      const { grant, cut } = inHand;
      inHand = null;
      cut.cut();
      grant.delivery.held.settle(unknownOutcome(grant.delivery, options));
      grant.end(null);
    });

    while (!context.signal.aborted) {
      const rehearsed = context.checkpoint();
      if (rehearsed !== undefined) await rehearsed;
      const grant = await take(context.signal, options.waitMs);
      if (grant === null) continue;
      const { delivery } = grant;
      const { held, endpoint } = delivery;
      if (held.state !== "waiting") {
        // Its lease was lost while it waited for its turn.
        grant.end(null);
        continue;
      }
      if (!options.isCurrent(delivery)) {
        // The replacement came between the grant and this line.
        grant.end(null);
        options.planAgain(delivery);
        continue;
      }
      const cut = new Cut();
      inHand = { grant, cut };
      held.state = "running";
      held.cut = cut;
      context.progress(clock.monotonic() + endpoint.requestTimeoutMs);

      const outcome = await options.attempt(delivery, cut);
      // Null when the supervisor has given this run up: its lease is settled by onEnd already.
      if (inHand === null) return;
      const disposition = dispositionOf(delivery, outcome, options);
      // Not before there is something to settle with: a bug above must leave it to onEnd.
      inHand = null;
      // The line that must always be reached: without it the job waits until its lease runs out.
      held.settle(disposition);
      grant.end(outcome.kind === "aborted" ? null : outcome);
      options.record(delivery, outcome, disposition);
    }
  };
}

const acked: Disposition = { verb: "ack" };
const released: Disposition = { verb: "release" };

/** What follows from an attempt. One that was cut off says nothing of the job. */
function dispositionOf(delivery: Delivery, outcome: Outcome, options: LoopOptions): Disposition {
  if (outcome.kind === "delivered") return acked;
  if (outcome.kind === "aborted") return released;
  const decision = options.decide(delivery, outcome);
  return settlementOf(delivery, decision, describeOutcome(outcome), outcome.durationMs);
}

/** `detail` is what the attempt came to, for a driver that ends the job instead of retrying it; so is `attemptMs`. */
function settlementOf(
  delivery: Delivery,
  decision: Decision,
  detail: string,
  attemptMs?: number,
): Disposition {
  if (decision.verb === "ack") return acked;
  const body = delivery.keep();
  const kept = body === undefined ? {} : { body };
  const endpoint = delivery.endpoint.label;
  if (decision.verb === "retry") {
    return { ...decision, endpoint, detail, ...(attemptMs === undefined ? {} : { attemptMs }), ...kept };
  }
  return { ...decision, endpoint, attempted: true, ...kept };
}

/** After a crash nobody knows whether the receiver got it: the attempt is charged, so that a job that crashes loops ends. */
function unknownOutcome(delivery: Delivery, options: LoopOptions): Disposition {
  if (options.isDraining()) return { verb: "release" };
  const isLast = delivery.attempt >= delivery.endpoint.retry.maxAttempts;
  return settlementOf(
    delivery,
    isLast
      ? {
          verb: "dead",
          reason: "attempts_exhausted",
          detail: "its worker loop ended during the last attempt",
        }
      : { verb: "retry", delayMs: options.crashDelayMs(delivery) },
    "its worker loop ended during the attempt",
  );
}
