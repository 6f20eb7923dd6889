import { readFileSync } from "node:fs";
import { loadConfig } from "../config/load.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo } from "./command.ts";
import type { ParsedArguments } from "./arguments.ts";
import { describeFileFault, describeNetworkFault } from "./fault-text.ts";

/** Flags of every command that asks a server. */
export const serverFlags = ["url", "token", "config"] as const;
export type ServerFlag = (typeof serverFlags)[number];

/** A running server and how to be let in. */
export interface Server {
  /** Origin, without a trailing slash. */
  readonly url: string;
  readonly token: string | null;
}

/** A server's answer; `body` is the parsed JSON, or null where there was none. */
export interface ServerAnswer {
  readonly status: number;
  readonly body: unknown;
  /** The body as it came. */
  readonly text: string;
}

/**
 * The server to ask: `--url`, else $HOOKLINE_URL, else this machine's, where its configuration says that it
 * listens. The token: `--token`, else $HOOKLINE_TOKEN or the file that $HOOKLINE_TOKEN_FILE names, else the
 * configuration's own; that one is never sent to a URL which was named.
 *
 * @throws UsageError for a URL that is none; ConfigError when the configuration is needed and cannot be used.
 */
export async function findServer(
  flags: ParsedArguments<ServerFlag, never>["values"],
  io: Pick<CommandIo, "env" | "cwd">,
): Promise<Server> {
  const named = flags.url ?? (io.env["HOOKLINE_URL"] || undefined);
  if (named === undefined) {
    const args = { ...(flags.config === undefined ? {} : { config: flags.config }), sets: [], queues: [] };
    const { server } = (await loadConfig({ args, env: io.env, cwd: io.cwd })).config;
    const token = flags.token ?? server.token;
    return { url: `http://${reachableHost(server.host)}:${server.port}`, token };
  }
  if (!/^https?:\/\//i.test(named) || !URL.canParse(named)) {
    throw new UsageError(`--url: expected something like http://127.0.0.1:9640, got "${named}"`);
  }
  let end = named.length;
  while (named[end - 1] === "/") end -= 1;
  return { url: named.slice(0, end), token: flags.token ?? findToken(io.env) };
}

/** An address to connect to: a wildcard is only good for listening. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function findToken(env: CommandIo["env"]): string | null {
  const token = env["HOOKLINE_TOKEN"] || env["HOOKLINE_SERVER__TOKEN"];
  if (token) return token;
  const file = env["HOOKLINE_TOKEN_FILE"] || env["HOOKLINE_SERVER__TOKEN_FILE"];
  if (!file) return null;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`HOOKLINE_TOKEN_FILE: ${file} cannot be read: ${describeFileFault(error)}`);
  }
}

/**
 * One request to the server. Rejects with a sentence that names the server when there is no answer in time;
 * an answer of any status resolves.
 */
export async function askServer(
  server: Server,
  request: {
    readonly method?: string;
    readonly path: string;
    readonly body?: string | Uint8Array;
    readonly headers?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
  },
): Promise<ServerAnswer> {
  const timeoutMs = request.timeoutMs ?? 30_000;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    const init: RequestInit & { proxy?: false } = {
      method: request.method ?? "GET",
      headers: {
        accept: "application/json",
        ...(request.body === undefined ? {} : { "content-type": "application/json" }),
        ...(server.token === null ? {} : { authorization: `Bearer ${server.token}` }),
        ...request.headers,
      },
      redirect: "manual",
      signal: controller.signal,
      // Bun honours HTTP_PROXY; a proxy has no way to this machine's loopback address.
      proxy: false,
    };
    if (request.body !== undefined) init.body = request.body as BodyInit;
    const response = await fetch(server.url + request.path, init);
    const text = await response.text();
    return { status: response.status, body: parseJson(text), text };
  } catch (error) {
    const reason = controller.signal.aborted
      ? `no answer within ${timeoutMs} ms`
      : describeNetworkFault(error);
    throw new Error(`${server.url} cannot be asked: ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** What went wrong, in one sentence: the problem's detail and code where the server gave one. */
export function describeRefusal(answer: ServerAnswer): string {
  const problem = (answer.body ?? {}) as { title?: unknown; detail?: unknown; code?: unknown };
  const texts = [problem.detail ?? problem.title, problem.code].filter((part) => typeof part === "string");
  const [sentence = "the server refused, in words that are not hookline's", code] = texts;
  return `${answer.status} ${sentence}${code === undefined ? "" : ` (${code})`}`;
}

/** Says on stderr that the server refused, after what `about` names, with the server's own code. */
export function reportRefusal(
  answer: ServerAnswer,
  io: Pick<CommandIo, "reportError">,
  about?: string,
): void {
  const { code } = (answer.body ?? {}) as { code?: unknown };
  const detail = describeRefusal(answer);
  io.reportError(about === undefined ? detail : `${about}: ${detail}`, {
    status: answer.status,
    ...(typeof code === "string" ? { code } : {}),
  });
}

/**
 * The body of an answer that says "done", as an object with this member.
 *
 * @throws Error that names the server when it answered something else: it is another program.
 */
export function requireMember(
  server: Server,
  answer: ServerAnswer,
  member: string,
): Readonly<Record<string, unknown>> {
  const { body } = answer;
  if (typeof body === "object" && body !== null && Object.hasOwn(body, member)) {
    return body as Readonly<Record<string, unknown>>;
  }
  throw new Error(
    `${server.url} answered ${answer.status} with something else than hookline does: another program listens there`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
