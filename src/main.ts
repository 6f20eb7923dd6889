import process from "node:process";
import { createErrorReport, type CommandIo } from "./cli/command.ts";
import { commandNames, findCommand } from "./cli/commands.ts";
import { findSubcommand } from "./cli/subcommands.ts";
import { findClosedOutput } from "./cli/closed-output.ts";
import { describeFileFault } from "./cli/fault-text.ts";
import { createLineWriter } from "./cli/line-writer.ts";
import { didYouMean } from "./suggest.ts";
import { ConfigError, formatConfigIssue, UsageError } from "./errors.ts";

/** How long output may take to leave at the end: a reader that has stalled must not keep the process. */
const flushTimeoutMs = 2_000;

const exitCode = { done: 0, failed: 1, usage: 2, configuration: 78 } as const;

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** Runs the command that the arguments name; resolves with the exit code of contract §5, never rejects. */
async function run(argv: readonly string[], io: CommandIo): Promise<number> {
  const [word, ...rest] = argv;
  try {
    if (word === undefined) {
      await runCommand("help", [], io);
      return exitCode.usage;
    }
    if (word === "--help" || word === "-h") return await runCommand("help", rest, io);
    if (word === "--version" || word === "-v") return await runCommand("version", rest, io);
    const flags = flagsOf(rest);
    if (flags.includes("--help") || flags.includes("-h")) {
      return await runCommand("help", [word, ...subcommandOf(word, rest)], io);
    }
    return await runCommand(word, rest, io);
  } catch (error) {
    return report(error, word, rest, io);
  }
}

/** Says what a command threw, and gives its exit code. */
function report(error: unknown, word: string | undefined, rest: readonly string[], io: CommandIo): number {
  if (error instanceof UsageError) {
    const isHelpful = word !== undefined && word !== "help" && findCommand(word) !== undefined;
    const hint = isHelpful ? ["hookline help", word, ...subcommandOf(word, rest)].join(" ") : "hookline help";
    io.reportError(error.message, { code: "usage", exit_code: exitCode.usage, try: hint });
    if (!asJson) io.stderr.writeLine(`try: ${hint}`);
    return exitCode.usage;
  }
  if (error instanceof ConfigError) {
    const { issues, warnings } = error;
    if (!asJson) for (const warning of warnings) io.stderr.writeLine(`hookline: warning: ${warning}`);
    io.reportError(`the configuration cannot be used${asJson ? "" : ":"}`, {
      code: "configuration",
      exit_code: exitCode.configuration,
      issues,
      warnings,
    });
    if (!asJson) for (const issue of issues) io.stderr.writeLine(`  ${formatConfigIssue(issue)}`);
    return exitCode.configuration;
  }
  io.reportError(error instanceof Error ? error.message : String(error), { exit_code: exitCode.failed });
  return exitCode.failed;
}

/** What stands before `--`, which ends the flags. */
function flagsOf(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  return end === -1 ? args : args.slice(0, end);
}

/** The subcommand that these arguments name, as a list of one; else an empty one. */
function subcommandOf(command: string, args: readonly string[]): string[] {
  const name = args.find((argument) => !argument.startsWith("-"));
  return name !== undefined && findSubcommand(command, name) !== undefined ? [name] : [];
}

async function runCommand(name: string, args: readonly string[], io: CommandIo): Promise<number> {
  const entry = findCommand(name);
  if (entry === undefined)
    throw new UsageError(`no command "${name}"${didYouMean(name, [...commandNames, "--help", "--version"])}`);
  const command = await entry.load();
  return await command(args, io);
}

const argv = process.argv.slice(2);
const asJson = flagsOf(argv).includes("--json");
const stderr = createLineWriter(process.stderr);
const io: CommandIo = {
  stdout: createLineWriter(process.stdout),
  stderr,
  env: process.env,
  cwd: process.cwd(),
  readStdin,
  reportError: createErrorReport(stderr, asJson),
};
let code = await run(argv, io);
await io.stdout.flush(flushTimeoutMs);
const lost = io.stdout.failure ?? findClosedOutput(io.stdout);
if (lost !== null) {
  io.reportError(`standard output: ${describeFileFault(lost)}`, { exit_code: code || exitCode.failed });
  if (code === exitCode.done) code = exitCode.failed;
}
await io.stderr.flush(flushTimeoutMs);
process.exit(code);
