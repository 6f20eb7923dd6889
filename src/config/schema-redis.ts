import * as v from "valibot";
import { checkedText, flag, integer, milliseconds, secretAddress } from "./kinds.ts";
import { setting } from "./setting.ts";
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
  concurrency: setting(
    integer({ min: 1 }, "Attempts in flight per queue, plus one for each endpoint that has none in flight."),
    { env: "QUEUE_REDIS_CONCURRENCY", envSoketi: "SOKETI_QUEUE_REDIS_CONCURRENCY", default: 5 },
  ),
  prefix: setting(prefix, { env: "QUEUE_REDIS_PREFIX", default: "sockudo_queue:" }),
  url_override: setting(
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
    { env: "QUEUE_REDIS_URL", envFallback: "REDIS_URL", default: null },
  ),
  cluster_mode: setting(flag("As redis-cluster; seeds = database.redis.cluster_nodes, else the URL."), {
    envSoketi: "SOKETI_QUEUE_REDIS_CLUSTER_MODE",
    default: false,
  }),
  write_for_sockudo: setting(
    flag("Own jobs go to the producers' list in Sockudo's full form, app_secret included."),
    { default: false },
  ),
  look_for_others: setting(
    flag("Look for jobs that Sockudo or Soketi left where nothing drains them, and warn of them."),
    { default: true },
  ),
  wait_replicas: setting(integer({ min: 0 }, "Enqueue waits for so many replicas (WAIT)."), { default: 0 }),
});

/** `queue.redis_cluster`. */
export const redisClusterSchema = v.strictObject({
  concurrency: setting(
    integer({ min: 1 }, "Attempts in flight per queue, plus one for each endpoint that has none in flight."),
    { env: "REDIS_CLUSTER_QUEUE_CONCURRENCY", default: 5 },
  ),
  prefix: setting(prefix, { env: "REDIS_CLUSTER_QUEUE_PREFIX", default: "sockudo_queue:" }),
  nodes: setting(v.pipe(v.array(clusterNode, "an array of node URLs"), v.minLength(1, "at least one node")), {
    env: "REDIS_CLUSTER_NODES",
    default: ["redis://127.0.0.1:6379"],
  }),
  request_timeout_ms: setting(milliseconds(1, "Longest wait for one command."), {
    env: "REDIS_CLUSTER_QUEUE_REQUEST_TIMEOUT_MS",
    default: 5000,
  }),
});
