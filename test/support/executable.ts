import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, executablePath, isFresh } from "../../scripts/build.ts";
import { findSecrets, secret } from "./secrets.ts";
import { until } from "./until.ts";

/** The token of every server these tests start. */
export const token = secret("token");

/** One line of a server's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly level: string };

/** An answer of the admin API; `body` is the parsed JSON, loosely typed because tests look at parts of it. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it expects.
  readonly body: any;
}

/** A running `hookline serve`; `await using` ends it whatever happens in the test. */
export interface Executable extends AsyncDisposable {
  /** The path of its configuration file. */
  readonly file: string;
  /** What the file holds for such a configuration. */
  readonly configText: (config: object) => string;
  /** Replaces the file by rename; the server reads it when it is told to. */
  configure(config: object): void;
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly pid: number;
  /** Resolves with the exit code; 128 + the signal's number when a signal ended it. */
  readonly exited: Promise<number>;
  /** A request with the token; a body that is not text or bytes is sent as JSON. */
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  /** Posts jobs to a queue and returns the 202's body; throws on any other answer. */
  enqueue(
    queue: string,
    jobs: unknown,
  ): Promise<{ accepted: number; jobs: { id: string; status: string }[] }>;
  /** GET /v1/queues/{queue}. */
  stats(queue?: string): Promise<Record<string, number | null>>;
  /** Resolves when nothing of the queue is ready, delayed or leased. */
  untilIdle(queue?: string, timeoutMs?: number): Promise<void>;
  /** Everything written so far. */
  output(): string;
  /** The log so far. */
  logs(): LogLine[];
  signal(name: NodeJS.Signals): void;
  /** SIGTERM (or another signal), then the exit code; throws when secrets were seen in the output. */
  stop(name?: NodeJS.Signals): Promise<number>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments after `serve --config FILE`. */
  readonly args?: readonly string[];
  /** False: do not wait for /health/ready. */
  readonly waitReady?: boolean;
  /** Another program than dist/hookline, with its first arguments. */
  readonly command?: readonly string[];
}

const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

let built: Promise<void> | null = null;

/** The path of an executable made of the sources as they are; built at most once per process. */
export async function ensureExecutable(): Promise<string> {
  built ??= isFresh() ? Promise.resolve() : build();
  await built;
  return executablePath;
}

/** An environment of our own: a developer's LOG_LEVEL or REDIS_URL must not reach the tests. */
function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = { ...extra };
  for (const name of ["PATH", "HOME", "TMPDIR"]) if (process.env[name]) env[name] ??= process.env[name];
  return env;
}

/** Keeps what an executable wrote or answered, for the search at the end of scripts/test. */
function keepInTranscript(text: string): void {
  const directory = process.env["HOOKLINE_TRANSCRIPT"];
  if (directory) appendFileSync(join(directory, `${process.pid}.txt`), `${text}\n`);
}

function refuseSecrets(text: string, where: string): void {
  const found = findSecrets(text);
  if (found.length > 0) throw new Error(`a secret in ${where}: ${found.slice(0, 3).join(" | ")}`);
}

/** Starts `hookline serve` on a free port with this configuration and resolves when it is ready. */
export async function startExecutable(config: object, options: StartOptions = {}): Promise<Executable> {
  const command = options.command ?? [await ensureExecutable()];
  const directory = mkdtempSync(join(tmpdir(), "hookline-e2e-"));
  const file = join(directory, "config.json");
  const textOf = (given: object): string => {
    const { server, ...rest } = given as { server?: object };
    return JSON.stringify({ server: { port: 0, token, ...server }, ...rest });
  };
  writeFileSync(file, textOf(config));
  const child = Bun.spawn([...command, "serve", "--config", file, ...(options.args ?? [])], {
    cwd: directory,
    env: cleanEnv(options.env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.add(child);
  let output = "";
  const answers: string[] = [];
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true });
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const exited = Promise.all([child.exited, collected]).then(([code]) => {
    running.delete(child);
    rmSync(directory, { recursive: true, force: true });
    keepInTranscript(output);
    return code;
  });
  const logs = (): LogLine[] =>
    output
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as LogLine);
  const checkOutput = (): void => {
    refuseSecrets(output, "the output");
    refuseSecrets(answers.join("\n"), "an answer of the admin API");
  };

  let url = "";
  const api: Executable["api"] = async (method, path, body, headers = {}) => {
    const isPlain = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: (isPlain ? body : JSON.stringify(body)) as BodyInit }),
    });
    const text = await response.text();
    answers.push(text);
    keepInTranscript(text);
    let parsed: unknown = null;
    if (response.headers.get("content-type")?.includes("json") === true) parsed = JSON.parse(text);
    return { status: response.status, headers: response.headers, text, body: parsed };
  };
  const stats: Executable["stats"] = async (queue = "webhooks") =>
    (await api("GET", `/v1/queues/${queue}`)).body as Record<string, number | null>;

  const executable: Executable = {
    get url() {
      return url;
    },
    file,
    configText: textOf,
    configure(next) {
      writeFileSync(`${file}.next`, textOf(next));
      renameSync(`${file}.next`, file);
    },
    pid: child.pid,
    exited,
    api,
    async enqueue(queue, jobs) {
      const answer = await api("POST", `/v1/queues/${queue}/jobs`, jobs);
      if (answer.status !== 202) throw new Error(`enqueue answered ${answer.status}: ${answer.text}`);
      return answer.body as { accepted: number; jobs: { id: string; status: string }[] };
    },
    stats,
    async untilIdle(queue, timeoutMs = 90_000) {
      const isIdle = async (): Promise<boolean> => {
        const { ready, delayed, leased } = await stats(queue);
        return (ready ?? 0) + (delayed ?? 0) + (leased ?? 0) === 0;
      };
      await until(isIdle, { timeoutMs, everyMs: 20, what: "an idle queue" });
    },
    output: () => output,
    logs,
    signal: (name) => child.kill(name),
    async stop(name = "SIGTERM") {
      child.kill(name);
      const code = await exited;
      checkOutput();
      return code;
    },
    async [Symbol.asyncDispose]() {
      if (running.has(child)) child.kill("SIGKILL");
      await exited;
      checkOutput();
    },
  };

  try {
    const ended = exited.then((code) => {
      throw new Error(`hookline serve ended with ${code} before it listened:\n${output}`);
    });
    // Awaited below only while the server starts; its end later is nobody's failure.
    ended.catch(() => undefined);
    const findUrl = (): string | undefined =>
      logs().find((line) => typeof line["url"] === "string")?.["url"] as string;
    url = await Promise.race([until(findUrl, { what: "the log line with the url" }), ended]);
    if (options.waitReady !== false) {
      const isReady = async (): Promise<boolean> => (await api("GET", "/health/ready")).status === 200;
      await Promise.race([until(isReady, { what: "readiness" }), ended]);
    }
    return executable;
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    throw error;
  }
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the executable to its end; kills it and throws after `timeoutMs` (20 s). */
export async function runExecutable(
  args: readonly string[],
  options: {
    env?: Record<string, string>;
    stdin?: string | Uint8Array;
    cwd?: string;
    timeoutMs?: number;
    command?: readonly string[];
  } = {},
): Promise<RunResult> {
  const command = options.command ?? [await ensureExecutable()];
  const timeoutMs = options.timeoutMs ?? 90_000;
  const child = Bun.spawn([...command, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: cleanEnv(options.env),
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin as BlobPart]),
    stdout: "pipe",
    stderr: "pipe",
  });
  running.add(child);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    const [code, stdout, stderr] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (isLate) throw new Error(`${args.join(" ")} did not end within ${timeoutMs} ms:\n${stdout}${stderr}`);
    keepInTranscript(stdout + stderr);
    refuseSecrets(stdout + stderr, `the output of ${args.join(" ")}`);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}
