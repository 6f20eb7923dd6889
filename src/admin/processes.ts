import * as v from "valibot";
import { time } from "./answer-kinds.ts";
import { answer } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { limitParameter } from "./query.ts";
import { requireOpenDriver } from "./queues.ts";
import { isoTime, jsonReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { route, type Route } from "./route.ts";

/**
 * GET /v1/processes?limit=: the processes that consume queues of this backend, with their ranks, and who is behind. On
 * redis and redis-cluster only.
 *
 * An array of at most `limit` (1 to 1000, which is also the default); the header `x-total-count` says how many
 * there are.
 */
export function processRoutes(deps: AdminDeps): Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/processes",
      access: "read",
      query: { limit: limitParameter(1000) },
      about: () => ({
        id: "listProcesses",
        summary: "List the processes that consume this backend's queues",
        details: "On redis and redis-cluster only.",
        answers: {
          200: answer(
            "The processes with their ranks.",
            v.array(
              v.object({
                id: v.string(),
                host: v.string(),
                started_at: time("When it was started."),
                version: v.string(),
                rank: v.pipe(v.number(), v.description("Of its configuration: the higher, the newer.")),
                behind: v.pipe(
                  v.boolean(),
                  v.description("A newer configuration is at work: it takes nothing more."),
                ),
                queues: v.array(v.string()),
              }),
            ),
            [
              {
                id: "web-1-4711",
                host: "web-1",
                started_at: "2026-12-01T12:00:00.000Z",
                version: "0.2.0",
                rank: 3,
                behind: false,
                queues: ["webhooks"],
              },
            ],
            { "x-total-count": "How many there are." },
          ),
        },
        errors: ["unsupported_by_driver", "driver_unavailable"],
      }),
      async handle(_request, { query: { limit } }) {
        const { ranks } = deps.driver;
        if (ranks === undefined) {
          throw new RequestError(
            "unsupported_by_driver",
            "processes know of each other on redis and redis-cluster only",
          );
        }
        requireOpenDriver(deps);
        const all = await ranks.processes();
        const shown = all.slice(0, limit).map(({ id, host, startedAt, version, rank, behind, queues }) => ({
          id: deps.mask(id),
          host: deps.mask(host),
          started_at: isoTime(startedAt),
          version: deps.mask(version),
          rank,
          behind,
          queues,
        }));
        return jsonReply(shown, 200, { "x-total-count": String(all.length) });
      },
    }),
  ];
}
