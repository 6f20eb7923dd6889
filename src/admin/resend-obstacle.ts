import type { Config } from "../config/schema.ts";
import { findByLabel } from "../delivery/live.ts";
import { compileRawRoutes } from "../delivery/raw-routes.ts";
import { route, type RawRoutes } from "../delivery/router.ts";
import type { HistoryEntry } from "../history/entry.ts";
import { boundJob, type ResentDelivery } from "../jobs/resend.ts";
import { createMemo } from "../memo.ts";
import type { AdminDeps } from "./deps.ts";
import { RequestError } from "./request-error.ts";

/** A delivery that can be sent again, or why it cannot. */
export type Resendable = { readonly delivery: ResentDelivery } | { readonly obstacle: RequestError };

/**
 * A check of deliveries that are to be sent again: asks the routing that the worker will ask, so that nothing is
 * enqueued which would only become a dead letter.
 */
export function createResendCheck(deps: AdminDeps): (entry: HistoryEntry) => Resendable {
  const { gates, history, live, queues } = deps;
  const routesOf = createMemo(
    ({ queue }: Config) =>
      new Map<string, RawRoutes>(
        queue.queues.flatMap((one) =>
          one.format === "raw" ? [[one.name, compileRawRoutes(one)] as const] : [],
        ),
      ),
  );
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
    const routing = route(boundJob(delivery), live.directory, routesOf(live.config).get(queue) ?? null);
    if (routing.kind === "deliver") return { delivery };
    const [code, detail] =
      routing.kind === "dead"
        ? [routing.reason, routing.detail]
        : ["not_wanted", "the endpoint wants none of it"];
    return { obstacle: new RequestError(code, detail, {}, 422) };
  };
}
