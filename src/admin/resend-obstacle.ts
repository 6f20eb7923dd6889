import { findByLabel } from "../delivery/live.ts";
import { route } from "../delivery/router.ts";
import type { HistoryEntry } from "../history/entry.ts";
import { boundJob, type ResentDelivery } from "../jobs/resend.ts";
import type { AdminDeps } from "./deps.ts";
import { createRawRoutes } from "./raw-queues.ts";
import { RequestError } from "./request-error.ts";

/** A delivery that can be sent again, or why it cannot. */
export type Resendable = { readonly delivery: ResentDelivery } | { readonly obstacle: RequestError };

/**
 * A check of deliveries that are to be sent again: asks the routing that the worker will ask, so that nothing is
 * enqueued which would only become a dead letter.
 */
export function createResendCheck(deps: AdminDeps): (entry: HistoryEntry) => Resendable {
  const { gates, history, live, queues } = deps;
  const routesOf = createRawRoutes(live);
  const gone = (what: string): Resendable => ({
    obstacle: new RequestError("unknown_endpoint", what, {}, 422),
  });

  return (entry) => {
    const { body, endpoint, label, queue, webhookId } = entry;
    if (body === null) {
      return {
        obstacle: new RequestError(
          "body_not_kept",
          "the body of this delivery is not remembered (any more): send the job itself again, and see history.body and the bounds of the history in docs/api.md",
        ),
      };
    }
    if (!queues.includes(queue)) return gone(`the queue ${queue} of this delivery is no longer configured`);
    if (label === "") {
      return gone(
        "nobody had routed this job when it was cancelled, and no endpoint here takes it: post it again",
      );
    }
    const target = findByLabel(live.directory, label);
    if (target === null) return gone(`the endpoint ${label} is no longer configured`);
    if (gates.of(target).mode === "disabled") {
      return {
        obstacle: new RequestError(
          "endpoint_disabled",
          `${label} is disabled, and its jobs become dead letters: enable it first`,
        ),
      };
    }
    const { boundEvents, job } = body;
    const delivery = { id: history.ids.idOf(entry), job, boundEvents, endpoint, webhookId };
    const routing = route(boundJob(delivery), live.directory, routesOf(queue));
    if (routing.kind === "deliver") return { delivery };
    const [code, detail] =
      routing.kind === "dead"
        ? [routing.reason, routing.detail]
        : ["not_wanted", "the endpoint wants none of it"];
    return { obstacle: new RequestError(code, detail, {}, 422) };
  };
}
