import { createHash } from "node:crypto";
import type { Config } from "../config/schema.ts";
import type { RankMark } from "./driver.ts";

/**
 * By what the processes of a fleet tell whether they route alike, for each queue: a hash of what routes as file,
 * environment and flags give it. Host, port, concurrency, log, tokens and what the API stores are not in it.
 */
export function rankMarks({
  apps,
  endpoints,
  webhooks,
  queue,
  reload,
}: Config): ReadonlyMap<string, RankMark> {
  const { max_in_flight: _limit, ...routing } = webhooks;
  const shared = JSON.stringify(inOrder({ apps, endpoints, webhooks: routing, revision: reload.revision }));
  return new Map(
    queue.queues.map(({ name, format, endpoint, routes }) => {
      const own = JSON.stringify(inOrder({ format, endpoint, routes }));
      const hash = createHash("sha256").update(`${shared}\n${own}`).digest("hex").slice(0, 32);
      return [name, { hash, revision: reload.revision }];
    }),
  );
}

/** The same value with its keys in one order: where two files write the same in another order, they route alike. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, inOrder(child)]));
}
