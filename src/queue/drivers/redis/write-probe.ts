import { DriverUnavailableError } from "../../../errors.ts";
import { evaluate } from "./evaluate.ts";
import type { QueueKeys } from "./keys.ts";
import type { RedisDriverOptions } from "./options.ts";
import { script } from "./script.ts";
import type { RedisServer } from "./server.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** What a write waits for replicas in a probe. */
const replicaWaitMs = 500;

/**
 * Meets what an enqueue would: the types of the lists it writes to, the right to each of its commands, memory,
 * disk and replicas. The key it writes to is gone again at the end.
 */
const rehearsalScript = script(
  "rehearsal",
  `
redis.call('LLEN', own)
redis.call('LLEN', ready)
redis.call('ZCARD', delayed)
redis.call('ZCARD', waiters)
-- First a write that may need memory: once a script has written, Redis asks no more.
redis.call('RPUSH', fence, 'x')
redis.call('DEL', fence)
redis.call('ZADD', fence, 0, 'x')
redis.call('DEL', fence)
redis.call('SET', fence, 'x', 'PX', 1000)
redis.call('DEL', fence)
return 0
`,
);

/**
 * Resolves when Redis would take an enqueue of this queue; throws what the enqueue would throw.
 *
 * Usually a ZADD that changes nothing: XX, and the key does not exist. Redis judges it as any write that may need
 * memory (OOM, READONLY, MISCONF, NOREPLICAS), and neither its replicas nor its append-only file hear of it.
 *
 * @param isSuspect The last enqueue failed: rehearse all that it does, which writes a few bytes for a moment.
 */
export async function probeWrite(
  topology: Topology,
  keys: QueueKeys,
  options: RedisDriverOptions,
  isSuspect: boolean,
): Promise<void> {
  const fence = keys.all[keys.all.length - 1] as string;
  await onServer(topology, keys.ready, "trying a write", async (server) => {
    const redis = await server.commands();
    if (isSuspect) await evaluate(redis, rehearsalScript, keys.all, []);
    else await redis.zadd(fence, "XX", 0, "x");
    if (options.waitReplicas > 0) await requireReplicas(server, options.waitReplicas);
  });
}

async function requireReplicas(server: RedisServer, wanted: number): Promise<void> {
  const have = await (await server.replicated()).wait(wanted, replicaWaitMs);
  if (have >= wanted) return;
  throw new DriverUnavailableError(`redis: only ${have} of ${wanted} replicas (wait_replicas) answer`, {
    refusal: "NOREPLICAS",
  });
}
