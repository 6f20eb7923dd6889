import type { Clock } from "../../../../clock.ts";
import type { DriverEvents, OwnDeadLetter } from "../../../driver.ts";
import type { SqsApi } from "../api.ts";
import type { AttemptMemory } from "../attempts.ts";
import { inBatches, type BatchResult } from "../batch.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { failLeaving, type Leaving } from "./leaving.ts";
import type { Copy } from "./action.ts";
import { sendAll } from "../send.ts";

/** A head whose job ends: copies to be written, then its deletion. */
export type Ending = Leaving & {
  /** The configured queue it was leased from. */
  readonly queue: string;
  readonly copies: readonly Copy[];
  readonly own: readonly OwnDeadLetter[];
};

export interface EndingsOptions {
  readonly api: () => SqsApi;
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  readonly events: DriverEvents;
}

/**
 * Writes copies, then deletes those heads whose copies are all confirmed: never the other way round.
 *
 * Once its copies are confirmed a job has ended, whatever becomes of the deletion: it is never handed out again
 * by this process (ended.ts). One whose deletion SQS refuses counts as settled, and is deleted later
 * (deletions.ts). A deletion of unknown fate leaves the lease as it is, so that the call can be repeated.
 */
export function createEndings(options: EndingsOptions) {
  const { memory, clock, events } = options;

  /** Writes the copies that go to one queue. Returns the endings of which one was not confirmed. */
  const writeCopies = async (
    consumer: Consumer,
    endings: readonly Ending[],
    to: Copy["to"],
  ): Promise<Map<Ending, Exclude<BatchResult, { status: "ok" }>>> => {
    const failures = new Map<Ending, Exclude<BatchResult, { status: "ok" }>>();
    const copies = endings.flatMap((ending) =>
      ending.copies
        .filter(
          ({ key, to: target }) => target === to && !memory.recall(ending.head.id).childrenSent.has(key),
        )
        .map((copy) => ({ ending, copy })),
    );
    const sent = await sendAll(
      options.api(),
      to === "dead" ? consumer.queue.dead : consumer.queue,
      copies.map(({ copy }) => copy.message),
      consumer.queue.fifo,
    );
    for (const [at, { ending, copy }] of copies.entries()) {
      const result = sent[at] as BatchResult;
      if (result.status !== "ok") failures.set(ending, result);
      else {
        const { childrenSent } = memory.recall(ending.head.id);
        // Kept until the head is deleted, so that a second try does not send the first ones again.
        memory.remember(ending.head.id, { childrenSent: new Set([...childrenSent, copy.key]) });
      }
    }
    return failures;
  };

  return async (consumer: Consumer, endings: readonly Ending[]): Promise<void> => {
    if (endings.length === 0) return;
    const failures = new Map([
      ...(await writeCopies(consumer, endings, "own")),
      ...(await writeCopies(consumer, endings, "dead")),
    ]);
    const complete = endings.filter((ending) => !failures.has(ending));
    for (const { head, own, queue } of complete) {
      // From here on, before SQS is asked: its lease may end while the answer is on its way.
      if (!consumer.ended.add(head.id)) continue;
      for (const letter of own) events.deadLettered?.(queue, letter);
    }
    const deleted = await inBatches(complete, (batch) =>
      options.api().remove(
        consumer.queue,
        batch.map(({ head }) => head.handle),
      ),
    );
    for (const [at, ending] of complete.entries()) {
      const { head, line, tell, doubt } = ending;
      const result = deleted[at] as BatchResult;
      if (result.status === "ok") {
        consumer.ended.deleted(head.id);
        memory.forget(head.id);
        // Unless SQS has handed it out again meanwhile, and the line is another.
        if (line.messages[0] === head) consumer.lines.next(line, clock.monotonic());
        tell({ status: "settled" });
      } else if (result.status === "unknown") {
        consumer.ended.failed(head.id);
        doubt(result.error);
        consumer.lines.revert(line);
      } else if (result.status === "gone") {
        // SQS has shown it again, or has it no more: should it come here, it is deleted.
        if (line.state !== "gone") consumer.keeper.abandon([line], new Set([head.id]));
        tell({ status: "lost" });
      } else {
        consumer.ended.failed(head.id);
        if (line.state !== "gone")
          consumer.deletions.hold(line, result.status === "behind" ? "behind" : result.code);
        tell({ status: "settled" });
      }
    }
    for (const [ending, result] of failures) failLeaving(consumer, memory, ending, result);
  };
}
