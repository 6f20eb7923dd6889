import { showInLine, showLines } from "../terminal.ts";
import { createBell } from "../wait.ts";

/** Text on its way to a stream, written without ever blocking the process. */
export interface LineWriter {
  readonly isTerminal: boolean;
  /** Columns of the terminal; 80 where there is none. */
  readonly columns: number;
  /** Whether any text was to be written. */
  readonly isUsed: boolean;
  /** Why text was lost, as a full disk; null while none was, and when only the reader has gone (EPIPE). */
  readonly failure: Error | null;
  /** Whether nobody takes text any more: the reader has gone, or writing failed. */
  readonly isClosed: boolean;
  /**
   * Takes text, newlines included. Returns at once, whatever the reader does.
   *
   * Controls but newlines and tabs are escaped (terminal.ts), to a file and a pipe too: what comes out ends on some
   * terminal. Parts that others wrote must be escaped one by one (showInLine), or their newlines pass for ours.
   */
  write(text: string): void;
  /** One line; newlines in it are escaped as well. */
  writeLine(line: string): void;
  /** Data that other programs take in as they are; on a terminal their controls are escaped. */
  writeData(text: string): void;
  /** Empties the screen of a terminal; nothing elsewhere. */
  clearScreen(): void;
  /** Resolves when all text has left, the reader is gone, or `timeoutMs` have passed. */
  flush(timeoutMs: number): Promise<void>;
}

/** The part of a Node stream that is used; process.stdout and process.stderr are such streams. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(chunk: string, done: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * A writer over a stream's asynchronous write.
 *
 * A synchronous write freezes the whole process, deliveries included, while the reader of the log does
 * not read; an asynchronous one loses what is pending when the process exits. So text waits here, one
 * write is under way at a time and takes all that has gathered, and main.ts flushes before it exits.
 *
 * What waits is bounded: past `maxPendingChars` lines are dropped and counted, and one line says how many
 * once there is room again. A closed reader (EPIPE) ends the writing, not the process; so does any other
 * error, which `failure` then tells.
 */
export function createLineWriter(
  stream: OutputStream,
  options: { maxPendingChars?: number; droppedLine?: (count: number) => string } = {},
): LineWriter {
  const maxPendingChars = options.maxPendingChars ?? 16 * 1024 * 1024;
  const droppedLine =
    options.droppedLine ?? ((count) => `${count} lines dropped: nobody reads this output\n`);
  let pending: string[] = [];
  let pendingChars = 0;
  let dropped = 0;
  let isWriting = false;
  let isBroken = false;
  let isUsed = false;
  let failure: Error | null = null;
  const idleness = createBell();

  const breakOff = (error: Error): void => {
    isBroken = true;
    if ((error as { code?: unknown }).code !== "EPIPE") failure ??= error;
    pending = [];
    pendingChars = 0;
    idleness.ring();
  };
  const writeNext = (): void => {
    if (isBroken) return;
    if (dropped > 0) {
      pending.push(droppedLine(dropped));
      dropped = 0;
    }
    if (pending.length === 0) {
      isWriting = false;
      idleness.ring();
      return;
    }
    isWriting = true;
    const chunk = pending.join("");
    pending = [];
    pendingChars = 0;
    try {
      stream.write(chunk, (error) => {
        if (error === undefined || error === null) writeNext();
        else breakOff(error);
      });
    } catch (error) {
      // Deno writes to a file at once, and throws.
      breakOff(error as Error);
    }
  };
  stream.on("error", breakOff);
  const isTerminal = stream.isTTY === true;
  const take = (text: string): void => {
    isUsed = true;
    if (isBroken) return;
    if (pendingChars + text.length > maxPendingChars) {
      dropped += 1;
      return;
    }
    pending.push(text);
    pendingChars += text.length;
    if (!isWriting) writeNext();
  };

  return {
    isTerminal,
    columns: stream.columns ?? 80,
    get isUsed() {
      return isUsed;
    },
    get failure() {
      return failure;
    },
    get isClosed() {
      return isBroken;
    },
    write: (text) => take(showLines(text)),
    writeLine: (line) => take(`${showInLine(line)}\n`),
    writeData: (text) => take(isTerminal ? showLines(text) : text),
    clearScreen() {
      // ECMA-48: erase in page, cursor to its first position.
      if (isTerminal) take("\u001b[2J\u001b[H");
    },
    flush(timeoutMs) {
      return isWriting && !isBroken ? idleness.wait(timeoutMs) : Promise.resolve();
    },
  };
}
