import type { LineWriter } from "./line-writer.ts";

/** What a command may touch of the process it runs in, so that tests can stand in for a terminal. */
export interface CommandIo {
  readonly stdout: LineWriter;
  readonly stderr: LineWriter;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Working directory: what names of files refer to. */
  readonly cwd: string;
  /** All of standard input, as it is. */
  readStdin(): Promise<Uint8Array>;
}

/**
 * One command. Resolves with the exit code (0 done, 1 failed); throws UsageError for exit 2 and ConfigError for 78.
 *
 * Never ends the process itself: main.ts does, after everything written has left.
 */
export type RunCommand = (args: readonly string[], io: CommandIo) => Promise<number>;
