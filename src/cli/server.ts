import { readFileSync } from "node:fs";
import { loadConfig } from "../config/load.ts";
import { quote, quoteSecretFileName } from "../secrets/showable.ts";
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
  readonly headers: Headers;
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
  const fromEnv = io.env["HOOKLINE_URL"] || undefined;
  const named = flags.url ?? fromEnv;
  if (flags.token !== undefined) checkToken(flags.token, "--token");
  if (named === undefined) {
    const args = { ...(flags.config === undefined ? {} : { config: flags.config }), sets: [], queues: [] };
    const { server } = (await loadConfig({ args, env: io.env, cwd: io.cwd })).config;
    const token = flags.token ?? server.token;
    return { url: `http://${reachableHost(server.host)}:${server.port}`, token };
  }
  const url = readUrl(named, flags.url === undefined ? "HOOKLINE_URL" : "--url");
  return { url, token: flags.token ?? findToken(io.env) };
}

/** @param source What named it, for messages. */
function readUrl(named: string, source: string): string {
  const url = /^https?:\/\//i.test(named) ? URL.parse(named) : null;
  if (url === null) {
    throw new UsageError(
      `${source}: expected something like http://127.0.0.1:9640, got ${quote(named, "text")}`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new UsageError(`${source}: expected a URL without user and password; the token goes into --token`);
  }
  if (url.search !== "" || url.hash !== "") {
    throw new UsageError(`${source}: expected a URL without a query or fragment`);
  }
  let end = named.length;
  while (named[end - 1] === "/") end -= 1;
  return named.slice(0, end);
}

/** What a header cannot carry would be refused by the runtime, in words that quote it. */
function checkToken(token: string, source: string): void {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(`${source}: expected a token of visible ASCII without spaces`);
  }
}

/** An address to connect to: a wildcard is only good for listening. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function findToken(env: CommandIo["env"]): string | null {
  for (const name of ["HOOKLINE_TOKEN", "HOOKLINE_SERVER__TOKEN"]) {
    const [token, file] = [env[name], env[`${name}_FILE`]];
    if (token) {
      checkToken(token, name);
      return token;
    }
    if (file) return readToken(file, `${name}_FILE`);
  }
  return null;
}

function readToken(file: string, source: string): string {
  let token: string;
  try {
    token = readFileSync(file, "utf8").trim();
  } catch (error) {
    const reason = describeFileFault(error);
    throw new UsageError(`${source}: ${quoteSecretFileName(file)} cannot be read: ${reason}`);
  }
  checkToken(token, source);
  return token;
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
    return { status: response.status, headers: response.headers, body: parseJson(text), text };
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
