import * as v from "valibot";
import type { HistoryEntry } from "../history/entry.ts";
import { createMatcher } from "../history/filter.ts";
import { createPacer } from "../pacer.ts";
import { pageOf } from "./answer-kinds.ts";
import { deliveryFilter, deliveryFilterSchemas, maySee } from "./delivery-filter.ts";
import { deliveryAnswer, deliveryExample, describeDelivery } from "./delivery-view.ts";
import type { AdminDeps } from "./deps.ts";
import { answer } from "./description.ts";
import { createPageText } from "./page.ts";
import { cursorParameter, limitParameter } from "./query.ts";
import { jsonReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";
import { listedBodyBytes } from "./shown-body.ts";

/** Most bytes of the body of one delivery that is asked for by itself. */
const wholeBodyBytes = 2_000_000;

/** Entries that are passed over without a look at the time. */
const passedAtATime = 256;

/** The history of deliveries: GET /v1/deliveries and /v1/deliveries/{id}. */
export function deliveryRoutes(deps: AdminDeps): Route[] {
  const { clock, history } = deps;
  return [
    route({
      method: "GET",
      path: "/v1/deliveries",
      access: "read",
      reach: { apps: "own", queues: "own" },
      query: { ...deliveryFilterSchemas, limit: limitParameter(50), cursor: cursorParameter },
      about: () => ({
        id: "listDeliveries",
        summary: "Find deliveries of this process, the newest first",
        answers: {
          200: answer(
            "A page of the deliveries that fit all filters and that the caller may see.",
            v.object({ ...pageOf("items", deliveryAnswer()).entries, scope: v.literal("process") }),
            { items: [deliveryExample], cursor: null, complete: true, scope: "process" },
          ),
        },
        errors: ["history_off", "history_unavailable"],
        example: { query: { status: "4xx", since: "-15m", limit: "10" } },
      }),
      async handle({ caller }, { query: { limit, cursor, ...filter } }) {
        requireHistory(deps);
        const wanted = deliveryFilter(filter, caller, clock.now());
        const matches = createMatcher(wanted);
        const below = cursor === null ? undefined : history.ids.numberOf(cursor);
        if (below === null) {
          throw new RequestError(
            "bad_cursor",
            "cursor: no page of this process' history gave it; begin again without it",
          );
        }
        const text = createPageText();
        const pace = createPacer();
        let last: HistoryEntry | null = null;
        let next: string | null = null;
        let passed = 0;
        for await (const entry of history.list({ below, filter: wanted })) {
          passed += 1;
          if (passed % passedAtATime === 0) await pace();
          if (!matches(entry)) continue;
          const isFull = text.length === limit;
          if (isFull || !text.tryAdd(describeDelivery(deps, entry, listedBodyBytes))) {
            next = last === null ? null : history.ids.idOf(last);
            break;
          }
          last = entry;
          await pace();
        }
        return text.reply("items", { cursor: next, complete: next === null, scope: "process" });
      },
    }),
    route({
      method: "GET",
      path: "/v1/deliveries/:id",
      access: "read",
      reach: { apps: "own", queues: "own" },
      about: () => ({
        id: "getDelivery",
        summary: "Show one delivery, with its attempts and its body",
        parameters: { id: "Id of the delivery, as GET /v1/deliveries lists it." },
        answers: { 200: answer("The delivery.", deliveryAnswer(), deliveryExample) },
        errors: ["unknown_delivery", "history_off", "history_unavailable"],
        example: { path: { id: "d8k2-17" } },
      }),
      handle: async (request) =>
        jsonReply(describeDelivery(deps, await deliveryParameter(deps, request), wholeBodyBytes)),
    }),
  ];
}

/**
 * The delivery that the path names.
 *
 * @throws RequestError `unknown_delivery` where there is none, or none that the caller may see.
 */
export async function deliveryParameter(
  deps: Pick<AdminDeps, "history" | "live">,
  request: AdminRequest,
): Promise<HistoryEntry> {
  requireHistory(deps);
  const number = deps.history.ids.numberOf(pathParameter(request, "id"));
  const entry = number === null ? null : await deps.history.find(number);
  if (entry === null || !maySee(request.caller, entry)) {
    throw new RequestError(
      "unknown_delivery",
      "the history of this process has no delivery of this id: it holds the last ones only, and without history.path begins anew with the process; GET /v1/deliveries lists them",
    );
  }
  return entry;
}

/** @throws RequestError `history_off` where nothing is remembered. */
export function requireHistory({ live }: Pick<AdminDeps, "live">): void {
  if (live.config.history.enabled) return;
  throw new RequestError(
    "history_off",
    "history.enabled is false: set it to true to have deliveries remembered",
  );
}
