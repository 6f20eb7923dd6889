import * as v from "valibot";
import { checkedText, flag, integer, milliseconds, secretAddress } from "./kinds.ts";
import { clusterNode } from "./schema-database.ts";
import { redisUrlProblem } from "./urls.ts";

/**
 * What is wrong with a key prefix, or null.
 *
 * hookline's helper keys share the ready key's cluster slot through a hash tag. With no brace in the
 * prefix it wraps the ready key in one; with a complete tag (Redis Cluster specification, "Hash tags": the first
 * `{` and the next `}` with something between) it keeps that. Anything else would split the keys over slots.
 */
function prefixProblem(prefix: string): string | null {
  if (!/[{}]/.test(prefix)) return null;
  const open = prefix.indexOf("{");
  const close = open === -1 ? -1 : prefix.indexOf("}", open);
  return close > open + 1
    ? null
    : "a prefix without a lone brace: either none, or a complete hash tag as in {hookline}:";
}

const prefix = v.pipe(
  checkedText("a string", prefixProblem, "The ready list is {prefix}queue:{queue}."),
  v.maxLength(200, "at most 200 characters"),
);

/** `queue.redis`. */
export const redisSchema = v.strictObject({
  concurrency: v.optional(
    integer({ min: 1 }, "Attempts in flight per queue, plus one for each endpoint that has none in flight."),
    5,
  ),
  prefix: v.optional(prefix, "sockudo_queue:"),
  url_override: v.optional(
    v.nullable(
      v.pipe(
        checkedText(
          "a redis:// or rediss:// URL",
          redisUrlProblem,
          "redis:// or rediss:// with user, password, db; null = database.redis.",
        ),
        v.metadata(secretAddress),
      ),
    ),
    null,
  ),
  cluster_mode: v.optional(
    flag("As redis-cluster; seeds = database.redis.cluster_nodes, else the URL."),
    false,
  ),
  write_for_sockudo: v.optional(
    flag("Own jobs go to the producers' list in Sockudo's full form, app_secret included."),
    false,
  ),
  look_for_others: v.optional(
    flag("Look for jobs that Sockudo or Soketi left where nothing drains them, and warn of them."),
    true,
  ),
  wait_replicas: v.optional(integer({ min: 0 }, "Enqueue waits for so many replicas (WAIT)."), 0),
});

/** `queue.redis_cluster`. */
export const redisClusterSchema = v.strictObject({
  concurrency: v.optional(
    integer({ min: 1 }, "Attempts in flight per queue, plus one for each endpoint that has none in flight."),
    5,
  ),
  prefix: v.optional(prefix, "sockudo_queue:"),
  nodes: v.optional(
    v.pipe(v.array(clusterNode, "an array of node URLs"), v.minLength(1, "at least one node")),
    ["redis://127.0.0.1:6379"],
  ),
  request_timeout_ms: v.optional(milliseconds(1, "Longest wait for one command."), 5000),
});
