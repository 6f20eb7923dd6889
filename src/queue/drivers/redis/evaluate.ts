import type { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import { replyCode } from "./errors.ts";
import type { Script } from "./script.ts";

export type ScriptArgument = string | number | Buffer;

/** A script's answer: bulk strings are Buffers, integers numbers. */
export type ScriptReply = null | number | Buffer | readonly ScriptReply[];

/**
 * Runs a script by its hash; when the server does not know it (a restart, SCRIPT FLUSH, a failover), sends
 * its text, which makes it known again. NOSCRIPT means that nothing was run, so nothing is done twice.
 */
export async function evaluate(
  redis: Redis,
  script: Script,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<ScriptReply> {
  try {
    return (await redis.callBuffer("EVALSHA", script.sha, keys.length, ...keys, ...args)) as ScriptReply;
  } catch (error) {
    if (replyCode(error) !== "NOSCRIPT") throw error;
    return (await redis.callBuffer("EVAL", script.source, keys.length, ...keys, ...args)) as ScriptReply;
  }
}

/** A reply that must be an array. */
export function replyList(reply: ScriptReply | undefined): readonly ScriptReply[] {
  if (!Array.isArray(reply)) throw new Error("redis: a script answered something other than a list");
  return reply as readonly ScriptReply[];
}

/** A reply that must be a text. */
export function replyText(reply: ScriptReply | undefined): string {
  if (reply === null || reply === undefined || typeof reply === "number" || Array.isArray(reply)) {
    throw new Error("redis: a script answered something other than a text");
  }
  return (reply as Buffer).toString("utf8");
}
