import { readFileSync } from "node:fs";
import { UsageError } from "./command.ts";
import type { CommandIo } from "./command.ts";
import type { ParsedArguments } from "./arguments.ts";

/** Flags of every command that asks a server. */
export const serverFlags = ["url", "token"] as const;
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
 * The server to ask: `--url`, else $HOOKLINE_URL, else this machine's at $HOOKLINE_PORT or 9640; the token
 * from `--token`, else $HOOKLINE_TOKEN, else the file that $HOOKLINE_TOKEN_FILE names.
 */
export function findServer(
  flags: ParsedArguments<ServerFlag, never>["values"],
  env: CommandIo["env"],
): Server {
  const port = env["HOOKLINE_PORT"] || env["HOOKLINE_SERVER__PORT"] || "9640";
  const url = flags.url ?? (env["HOOKLINE_URL"] || `http://127.0.0.1:${port}`);
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new UsageError(`--url: expected something like http://127.0.0.1:9640, got "${url}"`);
  }
  return { url: url.replace(/\/+$/, ""), token: flags.token ?? findToken(env) };
}

function findToken(env: CommandIo["env"]): string | null {
  const token = env["HOOKLINE_TOKEN"] || env["HOOKLINE_SERVER__TOKEN"];
  if (token) return token;
  const file = env["HOOKLINE_TOKEN_FILE"] || env["HOOKLINE_SERVER__TOKEN_FILE"];
  if (!file) return null;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`HOOKLINE_TOKEN_FILE: ${file} cannot be read: ${(error as Error).message}`);
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
    const reason = controller.signal.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message;
    throw new Error(`${server.url} cannot be asked: ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** What went wrong, in one sentence: the problem's detail and code where the server gave one. */
export function describeRefusal(answer: ServerAnswer): string {
  const problem = (answer.body ?? {}) as { title?: unknown; detail?: unknown; code?: unknown };
  const texts = [problem.detail ?? problem.title, problem.code].filter((part) => typeof part === "string");
  const [sentence = "the server refused", code] = texts;
  return `${answer.status} ${sentence}${code === undefined ? "" : ` (${code})`}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
