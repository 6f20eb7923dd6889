import type { Clock } from "../../../../clock.ts";
import type { ExtendResult } from "../../../driver.ts";
import { callError, unavailable } from "../errors.ts";
import type { Keeper } from "./keeper.ts";
import type { MessageLine } from "./message-line.ts";
import type { MessageLines } from "./message-lines.ts";
import type { HeldMessage } from "../message.ts";
import type { SqsQueue } from "../queue.ts";

export interface ExtendOptions {
  readonly queue: SqsQueue;
  readonly lines: MessageLines;
  readonly keeper: Keeper;
  readonly clock: Clock;
}

/** Renews leases by their tokens: as QueueDriver.extend. A line whose head SQS has given to another is given up. */
export function createExtend({ queue, lines, keeper, clock }: ExtendOptions) {
  return async (tokens: readonly string[], forMs: number): Promise<ExtendResult[]> => {
    const now = clock.monotonic();
    const held = tokens.map((token) => lines.leased(token, now));
    const current = held.filter((line) => line !== null);
    const results = await keeper.hide(
      current.map(({ messages }) => ({ message: messages[0] as HeldMessage, forMs })),
    );
    const answers = new Map<MessageLine, ExtendResult>();
    let failure: unknown = null;
    for (const [index, line] of current.entries()) {
      const result = results[index];
      if (result?.status === "ok") {
        line.leasedUntil = now + forMs;
        answers.set(line, "extended");
      } else if (result?.status === "gone") keeper.abandon([line]);
      else {
        // Still ours until its old end; the next heartbeat may get through.
        answers.set(line, "unknown");
        failure ??=
          result?.status === "unknown"
            ? result.error
            : callError(result, "ChangeMessageVisibility", queue.name);
      }
    }
    const all = held.map((line) => (line === null ? "lost" : (answers.get(line) ?? "lost")));
    if (failure !== null && all.every((answer) => answer === "unknown")) throw unavailable(failure);
    return all;
  };
}
