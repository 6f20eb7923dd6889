import { createHmac, createSecretKey } from "node:crypto";
import * as nodeModule from "node:module";
import process from "node:process";

/** The few things that Bun and Deno do differently. */

/** Running on Bun, compiled or from source; otherwise on Deno. */
export const isBun: boolean = "Bun" in globalThis;

/**
 * Frees what nobody refers to any more, now; on Deno nothing, whose collector keeps up by itself.
 *
 * For the few moments that make much garbage at once: Bun's collector lets the heap grow by what the machine's memory
 * allows, and what it has grown to stays the process' size for a while.
 */
export function collectGarbage(): void {
  if (isBun) (globalThis as unknown as { readonly Bun: { gc(now: boolean): void } }).Bun.gc(true);
}

/** Bun's limit of exchanges at a time that fetch works on, per process; the others wait unseen. */
const bunDefaultFetchLimit = 256;
/** What Bun takes: a 16-bit number. */
const bunMaxFetchLimit = 65_335;
const fetchLimitVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";

/** How many fetches this process can have in flight; Infinity where there is no limit. */
export function fetchLimit(): number {
  if (!isBun) return Number.POSITIVE_INFINITY;
  const configured = Number(process.env[fetchLimitVariable]);
  return Number.isInteger(configured) && configured > 0 ? configured : bunDefaultFetchLimit;
}

/**
 * Makes sure that `limit` fetches can be in flight, or 256 hanging receivers would stall all others.
 *
 * Bun reads its limit from the environment at its own start, and from nowhere else (runtime-facts §4). So
 * the process replaces its own program once, with the variable set: same process id, same arguments, same
 * standard streams, some 30 ms. To be called before anything listens, and before anything is read that cannot be
 * read again. The variable itself guards against doing it again. Getting more threads for file reads and the
 * like in the same step keeps those from waiting behind one another.
 *
 * Returns when nothing has to be done: on Deno, or when the limit is high enough already. Where a program
 * cannot be replaced (Windows) it returns too; `fetchLimit` then tells what there is.
 */
export function raiseFetchLimit(limit: number): void {
  const wanted = Math.min(Math.ceil(limit), bunMaxFetchLimit);
  if (fetchLimit() >= wanted) return;
  if (!("execve" in process)) return;
  const { argv, env, execArgv, execPath } = process;
  // Compiled, argv[1] is the program's own name inside the executable, and no argument of the user's.
  const isCompiled = argv[1]?.startsWith("/$bunfs/") === true;
  const args = isCompiled ? argv.slice(2) : [...execArgv, ...argv.slice(1)];
  const raised = {
    ...env,
    [fetchLimitVariable]: String(wanted),
    UV_THREADPOOL_SIZE: env["UV_THREADPOOL_SIZE"] ?? "16",
  };
  try {
    process.execve?.(execPath, [execPath, ...args], raised);
  } catch {
    // Refused by the system (no such call, seccomp): the program goes on as it is.
  }
}

/** The program and first arguments with which this very program is started again, compiled or from source. */
export function ownCommand(): readonly [program: string, ...args: string[]] {
  const { argv, execArgv, execPath } = process;
  if (argv[1]?.startsWith("/$bunfs/") === true) return [execPath];
  return [execPath, ...(isBun ? execArgv : ["run", "-A"]), argv[1] ?? ""];
}

/** Gives the hex HMAC-SHA256 of what it is called with. */
export type HexHmac = (body: string | Uint8Array) => string;

/** An HMAC with this key. Bun's own hasher takes less than half the time of node:crypto's objects. */
export function createHexHmac(secret: string): HexHmac {
  if (isBun) return (body) => new Bun.CryptoHasher("sha256", secret).update(body).digest("hex");
  const key = createSecretKey(secret, "utf8");
  return (body) => createHmac("sha256", key).update(body).digest("hex");
}

/** TypeScript without its types, as JavaScript of the same statements; Bun leaves comments and spaces out too. */
export function stripTypes(source: string): string {
  if (isBun) return new Bun.Transpiler({ loader: "ts", minifyWhitespace: true }).transformSync(source);
  return nodeModule.stripTypeScriptTypes(source);
}
