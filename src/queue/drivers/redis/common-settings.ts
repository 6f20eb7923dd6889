import * as v from "valibot";
import { checkedText } from "../../../config/kinds.ts";
import type { CommonConfig } from "../../backend.ts";

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
