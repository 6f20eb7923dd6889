import { suggest } from "../suggest.ts";
import { envNames } from "./env-names.ts";

/** How names begin that are ours, Sockudo's or Soketi's (contract §2); HOOKLINE_ is read more strictly (env.ts). */
const prefixes = ["QUEUE_", "WEBHOOK_", "DATABASE_REDIS_", "SOKETI_QUEUE_", "REDIS_CLUSTER_"];

/** Settings of Sockudo and Soketi that have no counterpart here. */
const withoutCounterpart: ReadonlySet<string> = new Set([
  "QUEUE_REDIS_RESPONSE_TIMEOUT_MS",
  "QUEUE_LEASE_RENEW_INTERVAL_MS",
  "QUEUE_STALLED_BATCH_SIZE",
  "QUEUE_WORKER_POLL_INTERVAL_MS",
  "QUEUE_WORKER_PREFETCH",
  "QUEUE_COMPLETED_RETENTION",
  "QUEUE_EVENT_RETENTION",
  "QUEUE_MAX_BATCH_SIZE",
  "DATABASE_REDIS_KEY_PREFIX",
  "SOKETI_QUEUE_REDIS_OPTIONS",
]);

/** Whether a name begins like ours, so that one which leads to no key is surely a mistake or a misunderstanding. */
export function beginsLikeOurs(name: string): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * The warning about a name that begins like ours and leads to no key. No error, because other programs of one
 * environment may well have a QUEUE_… of their own.
 *
 * @param shown The name as messages hold it.
 */
export function unreadName(name: string, shown: string): string {
  const key = name.replace(/_FILE$/, "");
  if (withoutCounterpart.has(key)) {
    const whose = key.startsWith("SOKETI_") ? "Soketi" : "Sockudo";
    return `${shown} is not read: hookline has nothing like this setting of ${whose}'s`;
  }
  const nearest = suggest(key, [...envNames.keys()]);
  const meant = nearest === null ? "" : `; did you mean ${nearest}?`;
  return `${shown} is not read: hookline knows no variable of this name${meant}`;
}

/** What SOKETI_QUEUE_DRIVER comes to: a driver, a warning in its place, or what is wrong with it. */
export type SoketiDriver =
  | { readonly driver: "sqs" }
  | { readonly warning: string }
  | { readonly message: string };

/** Reads the value of SOKETI_QUEUE_DRIVER: `sqs` is a driver of ours, what `redis` and `sync` do is Soketi's own. */
export function readSoketiDriver(text: string): SoketiDriver {
  switch (text.trim().toLowerCase()) {
    case "sqs":
      return { driver: "sqs" };
    case "redis":
      return {
        warning:
          "SOKETI_QUEUE_DRIVER is redis, which hookline does not drain: Soketi's Redis queues are BullMQ's. Set it to sqs for both, or choose hookline's own queue with QUEUE_DRIVER",
      };
    case "sync":
      return {
        warning:
          "SOKETI_QUEUE_DRIVER is sync: Soketi sends its webhooks itself, without a queue that hookline could drain. Set it to sqs for both, or choose hookline's own queue with QUEUE_DRIVER",
      };
    default:
      return { message: 'expected one of "sqs", "redis", "sync", the queue drivers of Soketi' };
  }
}
