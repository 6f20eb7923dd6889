import type { SettleResult } from "../../../driver.ts";
import type { AttemptMemory } from "../attempts.ts";
import type { BatchResult } from "../batch.ts";
import type { Consumer } from "../consumer/consumer.ts";
import type { MessageLine } from "../consumer/message-line.ts";
import type { HeldMessage } from "../message.ts";
import { sendError } from "../send.ts";

/** One head on its way out of our hands, and where its result goes. */
export interface Leaving {
  readonly line: MessageLine;
  readonly head: HeldMessage;
  readonly tell: (result: SettleResult) => void;
  /** SQS has not said what became of it, and why. */
  readonly doubt: (error: unknown) => void;
}

/**
 * What an entry means that was not confirmed. Whatever may be repeated leaves the lease as it is; a refusal ends it
 * here, with one attempt charged, and the job comes again.
 */
export function failLeaving(
  consumer: Consumer,
  memory: AttemptMemory,
  { line, head, tell, doubt }: Leaving,
  result: Exclude<BatchResult, { status: "ok" }>,
): void {
  if (result.status === "unknown" || result.status === "failed") {
    doubt(result.status === "unknown" ? result.error : sendError(result));
    consumer.lines.revert(line);
    return;
  }
  if (line.state !== "gone") {
    memory.remember(head.id, { attempts: memory.recall(head.id).attempts + 1 });
    // What waits behind it goes back unsent, and comes after it.
    consumer.keeper.abandon([line], new Set([head.id]));
  }
  tell({ status: "failed", error: sendError(result) });
}
