import type { Clock } from "../../../../clock.ts";
import type { AttemptMemory, Memory } from "../attempts.ts";
import type { BatchResult } from "../batch.ts";
import type { Consumer } from "../consumer/consumer.ts";
import type { Leaving } from "./leaving.ts";

/** A head that is to be received again, now or later, by anybody. */
export type Hiding = Leaving & {
  readonly forMs: number;
  /** Remembered once the head is out of the worker's hands. */
  readonly change: Partial<Memory> | null;
};

/**
 * Lets heads be received again now or later, after what waits behind them: while the head is hidden its group
 * is locked, so that nothing can overtake it.
 *
 * One that SQS fails to hide is settled all the same: it waits in this process instead, renewed with the rest, and
 * the worker's word of it (no attempt charged, or when it is due) holds.
 */
export function createHidings(options: { readonly memory: AttemptMemory; readonly clock: Clock }) {
  const { memory, clock } = options;
  return async (consumer: Consumer, hidings: readonly Hiding[]): Promise<void> => {
    if (hidings.length === 0) return;
    // Cut off the line, so that a repetition does not give them back a second time.
    const behind = hidings.flatMap(({ line }) => line.messages.splice(1));
    if (behind.length > 0) await consumer.keeper.giveBack(behind);
    const startedAt = clock.monotonic();
    const results = await consumer.keeper.hide(hidings.map(({ head, forMs }) => ({ message: head, forMs })));
    for (const [at, { line, head, forMs, change, tell, doubt }] of hidings.entries()) {
      const result = results[at] as BatchResult;
      if (result.status === "unknown") {
        doubt(result.error);
        consumer.lines.revert(line);
        continue;
      }
      if (change !== null) memory.remember(head.id, change);
      // Unless the long poll was faster, and the line holds the next receive already.
      const isHeld = line.messages[0] === head && line.state === "settling";
      if (result.status === "ok" || result.status === "gone") {
        if (isHeld) consumer.lines.drop(line);
        tell({ status: result.status === "ok" ? "settled" : "lost" });
      } else {
        if (isHeld) consumer.lines.delay(line, startedAt + forMs, clock.monotonic());
        tell({ status: "settled" });
      }
    }
  };
}
