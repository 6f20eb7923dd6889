import * as v from "valibot";
import { checkedText } from "../../../config/kinds.ts";
import type { BackendView, CommonConfig } from "../../backend.ts";
import { redisUrlDb } from "./url.ts";

/** Longest wait of a lease call: due retries and pauses must be looked for again (backends.md §2). */
export const longestWaitMs = 2_000;

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

/** The kind of a key prefix. */
export const prefix = v.pipe(
  checkedText("a string", prefixProblem, "The ready list is {prefix}queue:{queue}."),
  v.maxLength(200, "at most 200 characters"),
);

/** What both need of `supervisor.stall_ms`. */
export const wait = () => ({ ms: longestWaitMs, of: "the Redis driver's wait of 2 s" });

const onlyDatabase = "a Redis Cluster has only database 0";

/** What a Redis Cluster cannot have: databases in these URLs or in `database.redis`, and Sentinels. */
export function contradictCluster(
  urls: readonly (readonly [path: readonly (string | number)[], url: unknown])[],
  database:
    | { readonly db?: number | undefined; readonly sentinels?: readonly unknown[] | undefined }
    | undefined,
  issue: BackendView<CommonConfig>["issue"],
): void {
  for (const [path, url] of urls) {
    if (typeof url === "string" && redisUrlDb(url) !== 0) issue(path, onlyDatabase);
  }
  if ((database?.db ?? 0) !== 0) issue(["database", "redis", "db"], onlyDatabase);
  if ((database?.sentinels ?? []).length > 0) {
    issue(["database", "redis", "sentinels"], "Sentinels do not watch a Redis Cluster; use one or the other");
  }
}

type Config = CommonConfig & {
  readonly queue: { readonly redis: { readonly look_for_others: boolean } };
};

/** What the redis and redis-cluster drivers read alike. */
export function commonOptions(config: Config) {
  const { queues, redis, reliability } = config.queue;
  return {
    lookForOthersMs: redis.look_for_others ? 60_000 : null,
    queues: queues.map(({ name }) => name),
    deadLetterRetention: reliability.failed_retention ?? Number.MAX_SAFE_INTEGER,
    deadLetterRetentionMs: reliability.failed_retention_ms,
    deduplicationTtlMs: reliability.deduplication_ttl_ms,
  };
}
