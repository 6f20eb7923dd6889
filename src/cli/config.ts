import { systemClock } from "../clock.ts";
import { ConfigError, formatConfigIssue, UsageError, type ConfigIssue } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { ConfigEntry } from "../secrets/redacted-config.ts";
import { parseConfigFlags } from "../config/flags.ts";
import { loadConfig, type LoadedConfig, type LoadOptions } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { didYouMean } from "../suggest.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { subcommandNames } from "./subcommands.ts";

/** What the command needs of its surroundings. */
export type ConfigCommandIo = Pick<CommandIo, "env" | "cwd" | "stdout" | "stderr">;

const names = subcommandNames("config");

/**
 * `hookline config check|print|schema`. Resolves with the exit code: 0, or 78 when there are issues, all of
 * which have then been written to stderr, one a line; `check --json` writes them to stdout as one object.
 *
 * @throws UsageError for anything else on the command line.
 */
export async function runConfigCommand(args: readonly string[], io: ConfigCommandIo): Promise<number> {
  const { args: flags, rest } = parseConfigFlags(args);
  const { switches, positionals } = parseArguments(rest, {
    // The configuration's flags are taken out already; they are named here for "did you mean".
    values: ["config", "set", "queue"],
    switches: ["json"],
    positionals: ["SUBCOMMAND"],
  });
  const asJson = switches.has("json");
  const [word] = positionals;
  if (word === undefined) throw new UsageError(`config: a subcommand is missing, one of ${names.join(", ")}`);
  if (!names.includes(word))
    throw new UsageError(`config: no subcommand "${word}"${didYouMean(word, names)}`);
  if (word === "schema") {
    const { jsonSchema } = await import("../config/json-schema.ts");
    io.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    return 0;
  }
  const options = { args: flags, env: io.env, cwd: io.cwd };
  return word === "check" ? check(options, asJson, io) : print(await loadConfig(options), asJson, io);
}

async function check(options: LoadOptions, asJson: boolean, io: ConfigCommandIo): Promise<number> {
  const warnings: string[] = [];
  const issues: ConfigIssue[] = [];
  let summary = "";
  try {
    const loaded = await loadConfig(options);
    warnings.push(...loaded.warnings);
    await checkParts(loaded.config);
    summary = summarize(loaded);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    warnings.push(...error.warnings);
  }
  const isOk = issues.length === 0;
  if (asJson) io.stdout.writeLine(JSON.stringify({ ok: isOk, issues, warnings }));
  else {
    for (const warning of warnings) io.stderr.writeLine(`warning: ${warning}`);
    for (const issue of issues) io.stderr.writeLine(formatConfigIssue(issue));
    if (isOk) io.stdout.writeLine(summary);
  }
  return isOk ? 0 : 78;
}

function print(loaded: LoadedConfig, asJson: boolean, io: ConfigCommandIo): number {
  for (const warning of loaded.warnings) {
    io.stderr.writeLine(asJson ? JSON.stringify({ warning }) : `warning: ${warning}`);
  }
  if (asJson) io.stdout.write(`${JSON.stringify(loaded.entries(), null, 2)}\n`);
  else for (const entry of loaded.entries()) io.stdout.writeLine(configEntryLine(entry));
  return 0;
}

function summarize({ config, file }: LoadedConfig): string {
  const counts = [
    count(config.queue.queues.length, "queue"),
    count(config.apps.length, "app"),
    count(Object.keys(config.endpoints).length, "endpoint"),
  ];
  return `ok: ${file ?? "no file"}, driver ${config.queue.driver}, ${counts.join(", ")}`;
}

/**
 * What only the parts themselves can tell, such as an option that a client library does not know. They are
 * made and closed again; nothing connects.
 *
 * @throws ConfigError with the issues of all of them.
 */
async function checkParts(loaded: Config): Promise<void> {
  const { createDriver } = await import("../queue/create-driver.ts");
  const { retryBounds } = await import("../queue/retry-bounds.ts");
  const { createDirectory } = await import("../delivery/directory.ts");
  const { createTransports } = await import("../delivery/transports.ts");
  const retries = retryBounds(createDirectory(loaded).retries);
  const events = { evicted: () => undefined, trimmed: () => undefined, reclaimed: () => undefined };
  const parts = [
    async () =>
      (await createDriver(loaded, { clock: systemClock, log: silentLogger, events, retries })).close(),
    async () => createTransports({ config: loaded, mask: (text) => text }).close(),
  ];
  const issues: ConfigIssue[] = [];
  for (const part of parts) {
    try {
      await part();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
}

/** The command as main.ts runs it. */
export const config: RunCommand = runConfigCommand;

const count = (many: number, noun: string): string => `${many} ${noun}${many === 1 ? "" : "s"}`;

/** `queue.driver = "redis"  (env QUEUE_DRIVER)`. */
function configEntryLine({ path, value, source }: ConfigEntry): string {
  return `${path} = ${JSON.stringify(value)}  (${source})`;
}
