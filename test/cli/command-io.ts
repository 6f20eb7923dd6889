import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createErrorReport, type CommandIo, type RunCommand } from "../../src/cli/command.ts";
import { findCommand } from "../../src/cli/commands.ts";
import { createLineWriter, type LineWriter, type OutputStream } from "../../src/cli/line-writer.ts";

/** What a command wrote and resolved with. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A working directory of a test's own; `using` removes it. */
export function createWorkspace(): Disposable & {
  readonly cwd: string;
  write(name: string, content: string | Uint8Array): string;
} {
  const cwd = mkdtempSync(join(tmpdir(), "hookline-cli-"));
  return {
    cwd,
    write(name, content) {
      writeFileSync(join(cwd, name), content);
      return name;
    },
    [Symbol.dispose]: () => rmSync(cwd, { recursive: true, force: true }),
  };
}

/** Runs a command in this process; rejects with what it throws. */
export async function runCommand(
  name: string,
  args: readonly string[],
  surroundings: { cwd?: string; env?: CommandIo["env"]; stdin?: string | Uint8Array } = {},
): Promise<CommandResult> {
  const command: RunCommand | undefined = await findCommand(name)?.load();
  if (command === undefined) throw new Error(`no command ${name}`);
  const [stdout, stderr] = [createCapture(), createCapture()];
  const { cwd = tmpdir(), env = {}, stdin = "" } = surroundings;
  const code = await command(args, {
    stdout: stdout.writer,
    stderr: stderr.writer,
    reportError: createErrorReport(stderr.writer, args.includes("--json")),
    env,
    cwd,
    readStdin: () => Promise.resolve(Buffer.from(stdin)),
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** A pipe that keeps what is written to it. */
function createCapture(): { writer: LineWriter; text(): string } {
  let written = "";
  const stream: OutputStream = {
    write(chunk, done) {
      written += chunk;
      done();
      return true;
    },
    on: () => undefined,
  };
  return { writer: createLineWriter(stream), text: () => written };
}
