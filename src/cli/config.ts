import { systemClock } from "../clock.ts";
import { ConfigError, UsageError, type ConfigIssue } from "../errors.ts";
import { silentLogger } from "../log.ts";
import type { RunCommand } from "./command.ts";
import { didYouMean } from "../suggest.ts";
import type { ConfigEntry } from "../config/display.ts";
import type { Env } from "../config/env.ts";
import { parseConfigFlags } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";

/** What the command needs of its surroundings. */
export interface ConfigCommandIo {
  readonly env: Env;
  readonly cwd: string;
  stdout(text: string): void;
  stderr(text: string): void;
}

const subcommands = ["check", "print", "schema"];

/**
 * `hookline config check|print|schema`. Resolves with the exit code: 0, or 78 when there are issues, all of
 * which have then been written to stderr, one a line.
 *
 * @throws UsageError for anything else on the command line.
 */
export async function runConfigCommand(args: readonly string[], io: ConfigCommandIo): Promise<number> {
  const { args: flags, rest } = parseConfigFlags(args);
  const asJson = rest.includes("--json");
  const [subcommand, ...surplus] = rest.filter((arg) => arg !== "--json");
  if (subcommand === undefined || !subcommands.includes(subcommand)) {
    const given = subcommand === undefined ? "" : `, not ${subcommand}${didYouMean(subcommand, subcommands)}`;
    throw new UsageError(`config: expected one of ${subcommands.join(", ")}${given}`);
  }
  if (surplus[0] !== undefined)
    throw new UsageError(`config ${subcommand}: unexpected argument "${surplus[0]}"`);
  if (asJson && subcommand !== "print") throw new UsageError(`config ${subcommand} takes no --json`);

  if (subcommand === "schema") {
    const { jsonSchema } = await import("../config/json-schema.ts");
    io.stdout(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
    return 0;
  }
  try {
    const loaded = await loadConfig({ args: flags, env: io.env, cwd: io.cwd });
    for (const warning of loaded.warnings) io.stderr(`warning: ${warning}\n`);
    if (subcommand === "check") {
      await checkParts(loaded.config);
      const { queue, apps, endpoints } = loaded.config;
      const counts = [
        count(queue.queues.length, "queue"),
        count(apps.length, "app"),
        count(Object.keys(endpoints).length, "endpoint"),
      ];
      io.stdout(`ok: ${loaded.file ?? "no file"}, driver ${queue.driver}, ${counts.join(", ")}\n`);
    } else if (asJson) {
      io.stdout(`${JSON.stringify(loaded.entries(), null, 2)}\n`);
    } else {
      io.stdout(loaded.entries().map(configEntryLine).join(""));
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr(`${error.message}\n`);
    return 78;
  }
}

/**
 * What only the parts themselves can tell, such as an option that a client library does not know. They are
 * made and closed again; nothing connects.
 *
 * @throws ConfigError with the issues of all of them.
 */
async function checkParts(loaded: Config): Promise<void> {
  const { createDriver } = await import("../queue/registry.ts");
  const { createTransports } = await import("../delivery/transports.ts");
  const events = { evicted: () => undefined, trimmed: () => undefined, reclaimed: () => undefined };
  const parts = [
    async () => (await createDriver(loaded, { clock: systemClock, log: silentLogger, events })).close(),
    async () => createTransports({ config: loaded }).close(),
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
export const config: RunCommand = (args, io) =>
  runConfigCommand(args, {
    env: io.env,
    cwd: process.cwd(),
    stdout: (text) => io.stdout.write(text),
    stderr: (text) => io.stderr.write(text),
  });

const count = (many: number, noun: string): string => `${many} ${noun}${many === 1 ? "" : "s"}`;

/** `queue.driver = "redis"  (env QUEUE_DRIVER)`. */
function configEntryLine({ path, value, source }: ConfigEntry): string {
  return `${path} = ${JSON.stringify(value)}  (${source})\n`;
}
