import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { ownCommand } from "../runtime.ts";

/** A `hookline serve` that the demo has started as a process of its own. */
export interface DemoServer {
  readonly url: string;
  readonly pid: number;
  /** Ends it and resolves when it is gone. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
}

/** Far more than a start takes. */
const startTimeoutMs = 15_000;

/**
 * Starts a server with a configuration file, and nothing of the user's own environment that could change it.
 *
 * @throws Error with the end of its log when it does not come up.
 */
export async function startDemoServer(configFile: string): Promise<DemoServer> {
  const [program, ...args] = ownCommand();
  const { PATH, HOME, TMPDIR, LD_LIBRARY_PATH } = process.env;
  const child = spawn(program, [...args, "serve", "--config", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH, HOME, TMPDIR, LD_LIBRARY_PATH },
  });
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const end = async (signal: "SIGKILL" | "SIGTERM"): Promise<void> => {
    child.kill(signal);
    await exited;
  };

  const { promise: url, resolve, reject } = Promise.withResolvers<string>();
  const log: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    log.push(line);
    if (log.length > 20) log.shift();
    const ready = /"msg":"ready".*"url":"([^"]+)"/.exec(line)?.[1];
    if (ready !== undefined) resolve(ready);
  });
  const fail = (what: string): void => reject(new Error(`${what}:\n${log.join("\n")}`));
  child.once("error", (error) => fail(`the demo's server could not be started (${error.message})`));
  void exited.then(() => fail("the demo's server ended"));
  const timer = setTimeout(
    () => fail(`the demo's server was not ready in ${startTimeoutMs} ms`),
    startTimeoutMs,
  );
  try {
    return { url: await url, pid: child.pid ?? 0, end };
  } catch (error) {
    await end("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
