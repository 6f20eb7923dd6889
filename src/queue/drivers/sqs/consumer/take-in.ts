import type { Clock } from "../../../../clock.ts";
import type { DriverEvents } from "../../../driver.ts";
import type { AttemptMemory } from "../attempts.ts";
import type { Deletions } from "./deletions.ts";
import type { Ended } from "./ended.ts";
import type { Keeper } from "./keeper.ts";
import type { MessageLine } from "./message-line.ts";
import type { MessageLines } from "./message-lines.ts";
import type { HeldMessage } from "../message.ts";

export interface TakeInOptions {
  readonly lines: MessageLines;
  readonly keeper: Keeper;
  readonly memory: AttemptMemory;
  readonly ended: Ended;
  readonly deletions: Deletions;
  readonly clock: Clock;
  readonly events: DriverEvents;
  readonly leaseMs: () => number;
  /** Nobody may have anything: closed, or every queue here is paused. */
  readonly isShut: () => boolean;
}

/**
 * Takes received messages in: into their lines, and back to where they were when they come early.
 */
export function createTakeIn(options: TakeInOptions) {
  const { lines, keeper, memory, clock } = options;

  /** SQS handed them out again: whatever the lines held of them is void, and the rest goes back unsent. */
  const abandonDropped = (
    dropped: readonly { line: MessageLine; was: MessageLine["state"] }[],
    again: ReadonlySet<string>,
  ): void => {
    for (const { line, was } of dropped) {
      const head = line.messages[0];
      // One on its way back was released; only a lease that nobody ended costs an attempt.
      if (head === undefined || was !== "leased" || options.ended.has(head.id)) continue;
      memory.remember(head.id, { attempts: memory.recall(head.id).attempts + 1 });
      options.events.reclaimed(line.leasedFor, 1);
    }
    keeper.abandon(
      dropped.map(({ line }) => line),
      again,
    );
  };

  return (messages: readonly HeldMessage[]): void => {
    const now = clock.monotonic();
    const dropped = lines.add(messages, now);
    if (dropped.length > 0) abandonDropped(dropped, new Set(messages.map(({ id }) => id)));
    if (options.isShut()) {
      keeper.abandon([...lines.all()].filter(({ state }) => state === "ready"));
      return;
    }
    const early: { line: MessageLine; forMs: number }[] = [];
    for (const message of messages) {
      const line = lines.of(message);
      if (line?.state !== "ready" || line.messages[0] !== message) continue;
      if (options.ended.has(message.id)) {
        options.deletions.hold(line, null);
        continue;
      }
      // Behind its parking key or its due time, as far as this process remembers.
      const { dueAt, parkKey } = memory.recall(message.id);
      if (parkKey !== null) lines.park(line, parkKey, now);
      else if (dueAt > now && dueAt - now <= options.leaseMs()) lines.delay(line, dueAt, now);
      else if (dueAt > now) early.push({ line, forMs: dueAt - now });
    }
    if (early.length > 0) void keeper.sendAway(early);
    keeper.watch();
  };
}
