import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import type { Script } from "../../src/queue/drivers/redis/script.ts";
import type { Fault } from "../drivers/fault.ts";

const folder = join(import.meta.dir, "../../src/queue/drivers/redis");

/** Every script that a file of the driver exports, so that a new one is among them by itself. */
export async function allScripts(): Promise<Script[]> {
  const scripts = new Map<string, Script>();
  for (const file of readdirSync(folder)) {
    const exported = (await import(join(folder, file))) as Record<string, unknown>;
    for (const value of Object.values(exported)) if (isScript(value)) scripts.set(value.sha, value);
  }
  return [...scripts.values()];
}

function isScript(value: unknown): value is Script {
  return typeof value === "object" && value !== null && "sha" in value && "source" in value;
}

/** The commands that a script runs, in capitals: every call whose first argument is a command's name. */
export function commandsOf({ source }: Script): string[] {
  const calls = source.matchAll(/\b(?:redis\.p?call|try|probe)\(\s*'([A-Z]+)'/g);
  return [...new Set([...calls].map(([, name]) => name as string))].sort();
}

/** The user may not run a command, as long as the fault stands. */
export function deniedCommand(admin: Redis, user: string, command: string): Fault {
  const name = command.toLowerCase();
  return {
    name: `${command} is denied`,
    async begin() {
      await admin.call("ACL", "SETUSER", user, `-${name}`);
      return async () => void (await admin.call("ACL", "SETUSER", user, `+${name}`));
    },
  };
}

/**
 * A key is a plain text, as long as the fault stands: what it holds is put aside and put back, as if nobody could
 * reach it meanwhile.
 */
export function wrongType(admin: Redis, key: string): Fault {
  // In the same slot of a cluster.
  const aside = `${/[{}]/.test(key) ? key : `{${key}}`}:aside`;
  return {
    name: `${key} is a text`,
    async begin() {
      const put = `if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end redis.call('SET', KEYS[1], 'x')`;
      await admin.eval(put, 2, key, aside);
      const back = `redis.call('DEL', KEYS[1]) if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) end`;
      return async () => void (await admin.eval(back, 2, key, aside));
    },
  };
}

/** A setting of the server makes it refuse writes, or those that need memory, as long as the fault stands. */
export function refusedBySetting(admin: Redis, setting: string, value: string, usual: string): Fault {
  return {
    name: `${setting} ${value}`,
    async begin() {
      await admin.config("SET", setting, value);
      return async () => void (await admin.config("SET", setting, usual));
    },
  };
}

/**
 * The user may read a key and not write it, as long as the fault stands; it may write `others` (patterns). Redis asks for
 * the right to write every key that a script declares, so this can only be one that it does not.
 */
export function readOnlyKey(admin: Redis, user: string, key: string, others: readonly string[]): Fault {
  return {
    name: `${key} may be read only`,
    async begin() {
      const patterns = others.map((pattern) => `%RW~${pattern}`);
      await admin.call("ACL", "SETUSER", user, "resetkeys", "%R~*", ...patterns);
      return async () => void (await admin.call("ACL", "SETUSER", user, "resetkeys", "~*"));
    },
  };
}
