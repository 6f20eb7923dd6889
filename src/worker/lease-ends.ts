import type { Logger } from "../log.ts";
import type { Death } from "../problems/recent-deaths.ts";
import type { Metrics } from "../metrics.ts";
import type { Disposition } from "../queue/driver.ts";
import { boundedSettlement } from "./bounded-settlement.ts";
import type { Delivery } from "./delivery.ts";
import type { Held } from "./held.ts";
import type { Settler } from "./settler.ts";

/** How the leases of one queue end, whoever ends them: bounded, counted, told, then settled. */
export interface LeaseEnds {
  /** Ends a lease; does nothing when it is settling or gone. */
  readonly settle: (held: Held, disposition: Disposition) => void;
  /** Puts deliveries aside in the backend, under their endpoint's label. */
  readonly park: (deliveries: readonly Delivery[]) => void;
  /** Dead-letters deliveries of a disabled endpoint. */
  readonly giveUp: (deliveries: readonly Delivery[]) => void;
}

export interface LeaseEndsOptions {
  readonly queue: string;
  readonly settler: Settler;
  readonly metrics: Metrics;
  /** Told of each dead letter before it is written. */
  readonly onDead?: ((death: Death) => void) | undefined;
  readonly log: Logger;
  /** Masks secrets in a text. */
  readonly mask: (text: string) => string;
}

export function createLeaseEnds({ queue, settler, metrics, log, mask, onDead }: LeaseEndsOptions): LeaseEnds {
  return {
    settle(held, given) {
      // What nearly every job ends with, and what there is nothing to add to.
      if (given.verb === "ack") return settler.settle(held, given);
      const disposition = boundedSettlement(given, mask);
      if (disposition.verb === "dead" && held.state !== "gone") {
        metrics.deadLettered.labels({ queue, reason: disposition.reason }).inc();
        const { reason, endpoint } = disposition;
        onDead?.({ queue, jobId: held.jobId, reason, endpoint });
        log.warn("dead-lettered", {
          queue,
          job_id: held.jobId,
          endpoint: disposition.endpoint ?? undefined,
          reason: disposition.reason,
          detail: disposition.detail ?? undefined,
        });
      }
      settler.settle(held, withLearntId(held, disposition));
    },

    park(deliveries) {
      for (const delivery of deliveries) {
        const body = delivery.keep();
        delivery.held.settle({
          verb: "park",
          key: delivery.endpoint.label,
          ...(body === undefined ? {} : { body }),
        });
      }
    },

    giveUp(deliveries) {
      for (const delivery of deliveries) {
        const body = delivery.keep();
        delivery.held.settle({
          verb: "dead",
          reason: "endpoint_disabled",
          detail: "the endpoint is disabled; enable it and redrive",
          endpoint: delivery.endpoint.label,
          attempted: false,
          ...(body === undefined ? {} : { body }),
        });
      }
    },
  };
}

/** Where the job is kept, it is kept under its own id. */
function withLearntId({ learntId }: Held, disposition: Disposition): Disposition {
  if (learntId === null) return disposition;
  const { verb } = disposition;
  if (verb !== "retry" && verb !== "park" && verb !== "dead") return disposition;
  return { ...disposition, id: learntId };
}
