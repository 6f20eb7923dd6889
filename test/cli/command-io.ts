import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandIo, RunCommand } from "../../src/cli/command.ts";
import { findCommand } from "../../src/cli/commands.ts";
import type { LineWriter } from "../../src/cli/line-writer.ts";

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
    env,
    cwd,
    readStdin: () => Promise.resolve(Buffer.from(stdin)),
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function createCapture(): { writer: LineWriter; text(): string } {
  let written = "";
  return {
    writer: {
      isTerminal: false,
      columns: 80,
      isUsed: false,
      failure: null,
      write: (text) => void (written += text),
      flush: () => Promise.resolve(),
    },
    text: () => written,
  };
}
