import process from "node:process";
import { createInterface } from "node:readline/promises";
import { showInLine } from "../terminal.ts";
import { UsageError } from "../errors.ts";

/** Where a question is asked; a terminal unless a test stands in for one. */
export interface Asker {
  readonly isTerminal: boolean;
  ask(question: string): Promise<string>;
}

const terminal: Asker = {
  get isTerminal() {
    return process.stdin.isTTY && process.stderr.isTTY;
  },
  async ask(question) {
    const reader = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await reader.question(question);
    } finally {
      reader.close();
    }
  },
};

/**
 * True when the operator has typed the queue's name. Without a terminal there is nobody to ask.
 *
 * @throws UsageError without a terminal: `--yes` says it instead.
 */
export async function confirm(what: string, name: string, asker: Asker = terminal): Promise<boolean> {
  if (!asker.isTerminal) throw new UsageError(`${what}: there is no terminal to ask; say --yes`);
  const answer = await asker.ask(`${showInLine(what)}. Type its name to go on: `);
  return answer.trim() === name;
}
