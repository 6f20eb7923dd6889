import process from "node:process";
import type { CommandIo } from "./cli/command.ts";
import { commandNames, findCommand } from "./cli/commands.ts";
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
    const end = rest.includes("--") ? rest.indexOf("--") : rest.length;
    const asksHelp = rest.slice(0, end).some((argument) => argument === "--help" || argument === "-h");
    if (asksHelp) return await runCommand("help", [word], io);
    return await runCommand(word, rest, io);
  } catch (error) {
    if (error instanceof UsageError) {
      const isHelpful = word !== undefined && word !== "help" && findCommand(word) !== undefined;
      const hint = isHelpful ? `hookline help ${word}` : "hookline help";
      io.stderr.write(`hookline: ${error.message}\ntry: ${hint}\n`);
      return exitCode.usage;
    }
    if (error instanceof ConfigError) {
      io.stderr.write(`hookline: the configuration cannot be used:\n`);
      for (const issue of error.issues) io.stderr.write(`  ${formatConfigIssue(issue)}\n`);
      return exitCode.configuration;
    }
    io.stderr.write(`hookline: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCode.failed;
  }
}

async function runCommand(name: string, args: readonly string[], io: CommandIo): Promise<number> {
  const entry = findCommand(name);
  if (entry === undefined) throw new UsageError(`no command "${name}"${didYouMean(name, commandNames)}`);
  const command = await entry.load();
  return await command(args, io);
}

const io: CommandIo = {
  stdout: createLineWriter(process.stdout),
  stderr: createLineWriter(process.stderr),
  env: process.env,
  cwd: process.cwd(),
  readStdin,
};
let code = await run(process.argv.slice(2), io);
await io.stdout.flush(flushTimeoutMs);
const lost = io.stdout.failure ?? findClosedOutput(io.stdout);
if (lost !== null) {
  io.stderr.write(`hookline: standard output: ${describeFileFault(lost)}\n`);
  if (code === exitCode.done) code = exitCode.failed;
}
await io.stderr.flush(flushTimeoutMs);
process.exit(code);
