import type { Redis } from "ioredis";
import { configProblem, replyCode } from "./errors.ts";
import { replyList, replyText } from "./evaluate.ts";
import type { ScriptReply } from "./evaluate.ts";
import type { QueueKeys, RecordKeys } from "./keys.ts";
import { readRecordsScript } from "./record-scripts.ts";
import { randomName } from "./lease-call.ts";
import type { RedisDriverOptions } from "./options.ts";
import { script } from "./script.ts";
import { setScript } from "./shared-state.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/**
 * Tries every command that the scripts use, on a key that is gone again at the end. Answers the names of
 * those that the user may not run; every other error is left to those who run them in earnest.
 *
 * PUBLISH is not among them: jobs do not need it, and checkSharedPermissions asks. Redis 6 words the refusal in its
 * own way.
 */
export const probeScript = script(
  "probe",
  `
local denied = {}
local function probe(name, ...)
  local reply = redis.pcall(name, ...)
  if type(reply) ~= 'table' or not reply.err then return end
  local text = reply.err
  if string.find(text, 'NOPERM', 1, true) or string.find(text, 'ACL failure', 1, true) or string.find(text, 'The user executing the script', 1, true) then
    denied[#denied + 1] = name
  end
end
probe('DEL', fence)
-- What could not be removed must not be made.
if #denied > 0 then return {'', unpack(denied)} end
probe('EXISTS', fence)
probe('RPUSH', fence, 'x')
probe('LRANGE', fence, 0, 0)
probe('LINDEX', fence, 0)
probe('LLEN', fence)
probe('LSET', fence, 0, 'x')
probe('LREM', fence, 0, 'y')
probe('LTRIM', fence, 0, 0)
redis.call('DEL', fence)
probe('ZADD', fence, 0, 'x')
probe('ZSCORE', fence, 'x')
probe('ZCARD', fence)
probe('ZCOUNT', fence, 0, 1)
probe('ZRANGE', fence, 0, 0)
probe('ZREVRANGE', fence, 0, 0)
probe('ZRANGEBYSCORE', fence, 0, 1)
probe('ZREVRANGEBYSCORE', fence, 1, 0)
probe('PEXPIRE', fence, 120000)
probe('ZREM', fence, 'y')
probe('ZREMRANGEBYSCORE', fence, 1, 2)
probe('ZREMRANGEBYRANK', fence, 1, 2)
probe('ZPOPMAX', fence)
redis.call('DEL', fence)
probe('HSET', fence, 'x', 'y')
probe('HGET', fence, 'x')
probe('HMGET', fence, 'x')
probe('HEXISTS', fence, 'x')
probe('HDEL', fence, 'x')
probe('HINCRBY', fence, 'x', 1)
probe('HLEN', fence)
probe('HGETALL', fence)
redis.call('DEL', fence)
probe('SADD', fence, 'x')
probe('SMEMBERS', fence)
probe('SREM', fence, 'x')
redis.call('DEL', fence)
probe('SET', fence, 'x', 'PX', 120000)
probe('GET', fence)
redis.call('DEL', fence)
return {'', unpack(denied)}
`,
);

/**
 * Proves that the Redis user may do to a queue's keys what the driver will do.
 *
 * Throws ConfigError naming the commands that are refused (NOPERM) and the rights to grant. The right to
 * subscribe is not asked for: without it wake-ups are polled for, which server.ts warns of.
 *
 * The commands go out together; of several that are refused the first is named.
 *
 * @param blocks Whether this server has BLMOVE.
 */
export async function checkPermissions(
  topology: Topology,
  keys: QueueKeys,
  options: RedisDriverOptions,
  blocks: boolean,
): Promise<void> {
  const fence = keys.all[keys.all.length - 1] as string;
  const { sha, source } = probeScript;
  await onServer(topology, keys.ready, "checking permissions", async (server) => {
    const redis = await server.commands();
    const trial = (name: string, ...args: readonly (string | number)[]): Promise<ScriptReply> =>
      tryCommand(redis, keys.ready, options, name, args);
    const [, , , reply] = await Promise.all([
      trial("TYPE", keys.ready),
      trial("EXISTS", keys.ready),
      // EVAL first: it makes the script known for EVALSHA.
      trial("EVAL", source, keys.all.length, ...keys.all),
      trial("EVALSHA", sha, keys.all.length, ...keys.all),
      options.waitReplicas > 0 ? trial("WAIT", 0, 1) : null,
    ]);
    const denied = deniedCommands(reply);
    if (denied.length > 0) throw refused(`run ${denied.join(", ")}`, options);
    if (blocks) await tryMove(trial, `${fence}:${randomName()}`);
  });
}

type Trial = (name: string, ...args: readonly (string | number)[]) => Promise<ScriptReply>;

/**
 * Tries BLMOVE on a list that holds something. On an empty one it would block, and Redis ends a block of a
 * millisecond only after up to 100.
 */
async function tryMove(trial: Trial, key: string): Promise<void> {
  const moved = Promise.all([
    trial("RPUSH", key, "x"),
    // For a process that dies here.
    trial("PEXPIRE", key, 60_000),
    trial("BLMOVE", key, key, "LEFT", "RIGHT", 0.001),
    trial("DEL", key),
  ]);
  await moved.catch((error: unknown) => {
    // With memory full it is refused, and consuming goes on without.
    if (replyCode(error) !== "OOM") throw error;
  });
}

/**
 * Proves that the Redis user may read and write what processes share (ConfigError as above). Answers whether it may
 * publish, too: without, changes are polled for. A key of another type is left to whoever reads it (shared-state.ts).
 */
export async function checkSharedPermissions(
  topology: Topology,
  key: string,
  options: RedisDriverOptions,
): Promise<boolean> {
  return onServer(topology, key, "checking permissions", async (server) => {
    const redis = await server.commands();
    const trial = (name: string, ...args: readonly (string | number)[]): Promise<ScriptReply> =>
      tryCommand(redis, key, options, name, args);
    try {
      await trial("HGETALL", key);
      // Removes a field that nobody has set.
      await trial("EVAL", setScript.source, 1, key, `probe:${randomName()}`);
    } catch (error) {
      if (replyCode(error) !== "WRONGTYPE") throw error;
    }
    try {
      await redis.publish(key, "");
      return true;
    } catch (error) {
      if (replyCode(error) === "NOPERM") return false;
      throw error;
    }
  });
}

/**
 * Proves that the Redis user may read what the API stores (ConfigError as above). A key of another type is left to
 * whoever reads it (stored/sync.ts).
 */
export async function checkRecords(
  topology: Topology,
  keys: RecordKeys,
  options: RedisDriverOptions,
): Promise<void> {
  await onServer(topology, keys.values, "checking permissions", async (server) => {
    const args = [readRecordsScript.source, keys.all.length, ...keys.all, 0, 1];
    await tryCommand(await server.commands(), keys.values, options, "EVAL", args);
  });
}

/** What probeScript answers: the commands that the user may not run. */
export function deniedCommands(reply: ScriptReply): string[] {
  return replyList(reply).slice(1).map(replyText);
}

async function tryCommand(
  redis: Redis,
  subject: string,
  options: RedisDriverOptions,
  name: string,
  args: readonly (string | number)[],
): Promise<ScriptReply> {
  try {
    return (await redis.callBuffer(name, ...args)) as ScriptReply;
  } catch (error) {
    const text = (error as Error).message;
    // The prelude asks for the time before the probe can catch anything.
    const isTime = name.startsWith("EVAL") && /'time'|The user executing the script/.test(text);
    if (replyCode(error) !== "NOPERM" && !isTime) throw error;
    if (isTime) throw refused("run TIME", options);
    const what = /\bkeys?\b/.test(text) ? `use the keys of ${subject}` : `run ${name}`;
    throw refused(what, options);
  }
}

function refused(what: string, options: RedisDriverOptions): Error {
  const { prefix } = options;
  // The helper keys of a prefix without a hash tag of its own begin with a brace.
  const tagged = /[{}]/.test(prefix) ? prefix : `{${prefix}`;
  const patterns = [...new Set([prefix, tagged])].map((start) => `~${start}*`).join(" ");
  const wait = options.waitReplicas > 0 ? " +wait" : "";
  return configProblem(
    options.configPath,
    `the Redis user may not ${what} (NOPERM); grant it with ACL SETUSER: ${patterns} &${tagged}* ` +
      `+@read +@write +@scripting +@blocking +@connection +@pubsub +info +time${wait}`,
  );
}
