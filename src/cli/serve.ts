import { resolve } from "node:path";
import process from "node:process";
import { createHookline } from "../app.ts";
import type { Hookline } from "../app.ts";
import { parseConfigFlags } from "../config/flags.ts";
import { isReadOnce } from "../config/file.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { ConfigError, HooklineError } from "../errors.ts";
import { fetchesOf } from "../queue/create-driver.ts";
import { fetchLimit, raiseFetchLimit } from "../runtime.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { endSignals } from "./end-signals.ts";

/** `hookline serve`: runs until a signal or a failure; 0 when it drained, 1 when it failed. */
export const serve: RunCommand = async (args, io) => {
  const { args: configArgs, rest } = parseConfigFlags(args);
  // The configuration's flags are taken out already; they are named here for "did you mean".
  parseArguments(rest, { values: ["config", "set", "queue"] });
  const sources = { args: configArgs, env: io.env, cwd: io.cwd, isTerminal: io.stderr.isTerminal };
  const loaded = await loadConfig(sources);
  const isPiped = loaded.file !== null && (await isReadOnce(resolve(io.cwd, loaded.file)));
  const isLimited = !(await makeRoomForFetches(loaded, io.cwd));
  const hookline = await createHookline({
    loaded,
    load: () => (isPiped ? Promise.reject(readOnceError(loaded.file)) : loadConfig(sources)),
    write: (line) => io.stderr.writeData(line),
  });
  if (isLimited) {
    hookline.log.warn(
      "the configuration came through a pipe, so the limit of requests to the backend at a time could not be raised: with many queues, name a file or set BUN_CONFIG_MAX_HTTP_REQUESTS",
      { limit: fetchLimit() },
    );
  }
  return await runUntilEnd(hookline, { reloadsOnHangUp: !io.stderr.isTerminal });
};

/** A pipe is empty when it is read again. */
function readOnceError(file: string | null): ConfigError {
  const message = "the configuration came through a pipe, which can be read once: name a file to reload it";
  return new ConfigError([{ path: "", source: `file ${file}`, message }]);
}

/** Raises the limit of fetches; false where it stays too low. May replace this program (runtime.ts). */
async function makeRoomForFetches({ file, config }: LoadedConfig, cwd: string): Promise<boolean> {
  const needed = fetchesOf(config);
  if (fetchLimit() >= needed) return true;
  // The program that takes this one's place reads the configuration again, and a pipe would be empty then.
  if (file !== null && (await isReadOnce(resolve(cwd, file)))) return false;
  raiseFetchLimit(needed);
  return true;
}

/** Starts, waits for the first reason to end, stops; resolves with the exit code. */
async function runUntilEnd(
  hookline: Hookline,
  { reloadsOnHangUp }: { readonly reloadsOnHangUp: boolean },
): Promise<number> {
  const { log } = hookline;
  const end = Promise.withResolvers<Error | null>();
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals === 1) {
      log.info("signal received", { signal });
      end.resolve(null);
    } else {
      log.warn("second signal: what is in flight is given back at once", { signal });
      void hookline.stop({ now: true });
    }
  };
  // An error that no part awaited is a bug. It is logged masked, and others take over what is queued.
  const onStray = (error: unknown): void => {
    end.resolve(error instanceof Error ? error : new Error(String(error)));
  };
  for (const signal of endSignals()) {
    if (signal === "SIGHUP" && reloadsOnHangUp) process.on(signal, () => void hookline.reload("signal"));
    else process.on(signal, onSignal);
  }
  process.on("uncaughtException", onStray);
  process.on("unhandledRejection", onStray);
  void hookline.failed.then(end.resolve);
  let startError: Error | null = null;
  hookline.start().catch((error: Error) => end.resolve((startError = error)));

  const error = await end.promise;
  if (error instanceof ConfigError) {
    // Found while it ran: what is in flight is finished first. A start that failed has nothing to stop.
    if (error !== startError) await hookline.stop();
    throw error;
  }
  if (error !== null && error === startError) {
    log.error("hookline cannot start", describe(error));
    await hookline.stop();
    return 1;
  }
  if (error !== null) log.error("hookline has failed and ends", describe(error));
  await hookline.stop();
  if (error === null) return 0;
  log.error("exit code 1", { reason: error.message });
  return 1;
}

/** An error of ours says all in its message; a bug needs its stack. */
function describe(error: Error): Readonly<Record<string, unknown>> {
  return error instanceof HooklineError ? { reason: error.message, code: error.code } : { error };
}
