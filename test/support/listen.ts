import { ensureExecutable } from "./executable.ts";
import { until } from "./until.ts";

/** A line of `hookline listen` where its output is no terminal. */
export interface ListenLine {
  readonly time: string;
  readonly method: string;
  readonly path: string;
  readonly webhook_id: string | null;
  readonly attempt: number;
  readonly events: readonly string[];
  readonly bytes: number | null;
  readonly verified: boolean | null;
  readonly signatures?: readonly string[];
  readonly reason?: string;
  readonly answered: number;
  readonly forward_error?: string;
}

/** A running `hookline listen --port 0`; `await using` ends it whatever happens in the test. */
export interface Listening extends AsyncDisposable {
  readonly url: string;
  lines(): ListenLine[];
  /** Resolves when so many lines have come. */
  untilLines(count: number): Promise<ListenLine[]>;
  stderr(): string;
  /** Sends the signal and resolves with the exit code. */
  stop(signal: NodeJS.Signals): Promise<number>;
}

/** Starts it with these arguments and resolves when it listens. */
export async function startListening(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Listening> {
  const child = Bun.spawn([await ensureExecutable(), "listen", "--port", "0", ...args], {
    cwd: options.cwd,
    env: { ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const written = { stdout: "", stderr: "" };
  const collect = async (name: "stdout" | "stderr"): Promise<void> => {
    for await (const text of child[name].pipeThrough(new TextDecoderStream())) written[name] += text;
  };
  const collected = Promise.all([collect("stdout"), collect("stderr")]);
  const lines = (): ListenLine[] =>
    written.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as ListenLine);
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    child.kill(signal);
    const code = await child.exited;
    await collected;
    return code;
  };
  const ended = child.exited.then((code) => {
    throw new Error(`hookline listen ended with ${code}:\n${written.stderr}`);
  });
  ended.catch(() => undefined);
  const findUrl = (): string | undefined => /listening at (\S+),/.exec(written.stderr)?.[1];
  const url = await Promise.race([until(findUrl, { what: "the line with the url" }), ended]);
  return {
    url,
    lines,
    async untilLines(count) {
      await until(() => lines().length >= count, { what: `${count} lines` });
      return lines();
    },
    stderr: () => written.stderr,
    stop: end,
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
    },
  };
}
