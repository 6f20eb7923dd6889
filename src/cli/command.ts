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
  /**
   * Says on stderr what went wrong: `hookline: …`, or under --json an object `{"code", "detail"}` on one line, with
   * the names that problems of the API have.
   */
  reportError(detail: string, more?: ErrorMembers): void;
}

/** What else an error says under --json. */
export interface ErrorMembers {
  /** Default "failed". */
  readonly code?: string;
  readonly [member: string]: unknown;
}

/** CommandIo.reportError over a writer. */
export function createErrorReport(stderr: LineWriter, asJson: boolean): CommandIo["reportError"] {
  return (detail, { code = "failed", ...members } = {}) => {
    if (asJson) stderr.writeLine(JSON.stringify({ code, detail, ...members }));
    else stderr.writeLine(`hookline: ${detail}`);
  };
}

/**
 * One command. Resolves with the exit code (0 done, 1 failed); throws UsageError for exit 2 and ConfigError for 78.
 *
 * Never ends the process itself: main.ts does, after everything written has left.
 */
export type RunCommand = (args: readonly string[], io: CommandIo) => Promise<number>;
