import type { Clock } from "../../../../clock.ts";
import type { Logger } from "../../../../log.ts";
import type { DriverEvents } from "../../../driver.ts";
import type { SqsApi } from "../api.ts";
import type { AttemptMemory } from "../attempts.ts";
import type { BatchResult } from "../batch.ts";
import type { Deletions } from "./deletions.ts";
import type { Ended } from "./ended.ts";
import type { MessageLine } from "./message-line.ts";
import type { MessageLines } from "./message-lines.ts";
import type { HeldMessage } from "../message.ts";
import type { SqsQueue } from "../queue.ts";
import { createVisibility } from "./visibility.ts";

/**
 * What is held without being leased: a ready line that nobody asks for goes back to SQS after `lingerMs`, for
 * others may be idle; parked lines are held up to so many and so long, and hidden in SQS beyond.
 */
const patience = { lingerMs: 1_000, maxParked: 1_000, maxParkedMs: 120_000 };
/**
 * The same where a RedrivePolicy counts every receive: each way back to SQS brings the message nearer to its dead
 * letter queue, without an attempt.
 */
const patienceWhenCounted = { lingerMs: 30_000, maxParked: 10_000, maxParkedMs: Infinity };
/** States in which the head is ours to renew; a leased one is renewed by who leased it. */
const held: ReadonlySet<MessageLine["state"]> = new Set(["ready", "delayed", "parked", "ended"]);
/** Pauses of a message hidden for its parking key: double from the first to the last. */
const parkHideMs = { first: 30_000, last: 900_000 };

/**
 * Keeps SQS's view of the held messages and ours the same: renews what waits, gives back what nobody
 * wants, lets go of what is lost.
 */
export interface Keeper {
  /** Lets messages be received again at once, by anyone; in order of lines, last message first. */
  giveBack(messages: readonly HeldMessage[]): Promise<BatchResult[]>;
  /** Hides each message until so many ms from now; corrects `hiddenUntil` of those that worked. */
  hide(entries: readonly { message: HeldMessage; forMs: number }[]): Promise<BatchResult[]>;
  /** Drops lines and gives back all they held but what `except` names; failures only mean waiting longer. */
  abandon(lines: readonly MessageLine[], except?: ReadonlySet<string>): void;
  /** Drops lines and hides their heads for so long, after giving back what waits behind them. */
  sendAway(entries: readonly { line: MessageLine; forMs: number }[]): Promise<void>;
  /** Longest that SQS may still hide this message. */
  hideableMs(message: HeldMessage): number;
  /** Looks after everything that is held, from now on until nothing is. */
  watch(): void;
  /** Resolves when nothing given back is on its way any more. */
  settled(): Promise<void>;
  stop(): void;
}

export interface KeeperOptions {
  readonly queue: SqsQueue;
  readonly api: SqsApi;
  readonly lines: MessageLines;
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  readonly ended: Ended;
  readonly deletions: () => Deletions;
  /** The lease that holds are renewed with: the latest one asked for. */
  readonly leaseMs: () => number;
  /** A lease call is waiting, or was a moment ago. */
  readonly wanted: () => boolean;
  /** Something became ready. */
  readonly onReady: () => void;
  /** Surplus went back unused. */
  readonly onSurplus: () => void;
}

export function createKeeper(options: KeeperOptions): Keeper {
  const { queue, lines, memory, clock, log, events } = options;
  const { lingerMs, maxParked, maxParkedMs } =
    queue.maxReceiveCount === null ? patience : patienceWhenCounted;
  const visibility = createVisibility(options);
  const { hide, hideableMs, track } = visibility;
  const giveBack: Keeper["giveBack"] = async (messages) => {
    const results = await visibility.giveBack(messages);
    watch();
    return results;
  };
  let timer: ReturnType<typeof setTimeout> | null = null;
  let beating = false;
  let stopped = false;

  const abandon: Keeper["abandon"] = (dropped, except = new Set()) => {
    const now = clock.monotonic();
    const messages = dropped
      .flatMap((line) => lines.drop(line))
      .filter(({ id, hiddenUntil }) => hiddenUntil > now && !except.has(id));
    if (messages.length > 0) void track(giveBack(messages));
  };

  const sendAway: Keeper["sendAway"] = async (entries) => {
    const away = entries.flatMap(({ line, forMs }) => {
      const [message, ...rest] = lines.drop(line);
      return message === undefined ? [] : [{ message, forMs, rest }];
    });
    // While a head is hidden its group is locked, so that what is given back cannot overtake it.
    const behind = away.flatMap(({ rest }) => rest);
    if (behind.length > 0) await giveBack(behind);
    if (away.length > 0) await hide(away);
  };

  /** A lease ran out unsettled: one attempt charged; the message itself may still be ours. */
  const reclaim = (line: MessageLine, now: number): void => {
    const head = line.messages[0] as HeldMessage;
    if (options.ended.has(head.id)) return options.deletions().hold(line, "unknown");
    memory.remember(head.id, { attempts: memory.recall(head.id).attempts + 1 });
    events.reclaimed(line.leasedFor, 1);
    if (head.hiddenUntil > now) {
      lines.ready(line, now);
      options.onReady();
    } else {
      // Whoever has it now must come first: what waited behind it goes back unsent.
      abandon([line]);
    }
  };

  /** How long a parked line's head is hidden now; the pauses of one message double. */
  const parkedAway = (line: MessageLine): { line: MessageLine; forMs: number } => {
    const head = line.messages[0] as HeldMessage;
    const { parkedTimes } = memory.recall(head.id);
    memory.remember(head.id, { parkKey: line.parkKey, parkedTimes: parkedTimes + 1 });
    return { line, forMs: Math.min(parkHideMs.last, parkHideMs.first * 2 ** parkedTimes) };
  };

  /** Visits every line once and returns the messages to renew. */
  const visitLines = (now: number): HeldMessage[] => {
    const renew: HeldMessage[] = [];
    const unwanted: MessageLine[] = [];
    const away: MessageLine[] = [];
    const leaseMs = options.leaseMs();
    for (const line of lines.all()) {
      const [head, ...rest] = line.messages;
      if (head === undefined) continue;
      if (line.state === "leased" && line.leasedUntil <= now) {
        reclaim(line, now);
        continue;
      }
      const isOurs = held.has(line.state);
      if (line.state === "ready" && now - line.since > lingerMs && !options.wanted()) unwanted.push(line);
      else if (isOurs && head.hiddenUntil <= now) abandon([line]);
      else if (isOurs && hideableMs(head) < leaseMs * 2) unwanted.push(line);
      else if (
        line.state === "parked" &&
        (lines.parkedCount - away.length > maxParked || now - line.since > maxParkedMs)
      ) {
        away.push(line);
      } else {
        for (const message of isOurs ? line.messages : rest) {
          if (message.hiddenUntil - now < (leaseMs * 2) / 3) renew.push(message);
        }
      }
    }
    if (away.length > 0) void track(sendAway(away.map(parkedAway)));
    if (unwanted.length > 0) {
      options.onSurplus();
      abandon(unwanted);
    }
    return renew;
  };

  const renewAll = async (messages: readonly HeldMessage[]): Promise<void> => {
    const results = await hide(messages.map((message) => ({ message, forMs: options.leaseMs() })));
    const lost = new Set<string>();
    for (const [index, message] of messages.entries()) {
      const result = results[index];
      if (result === undefined || result.status === "ok" || result.status === "unknown") continue;
      lost.add(message.id);
    }
    if (lost.size === 0) return;
    log.warn("messages that waited in this process were lost; SQS hands them out again", {
      queue: queue.name,
      count: lost.size,
    });
    for (const line of lines.all()) {
      const at = line.messages.findIndex(({ id }) => lost.has(id));
      if (at < 0) continue;
      // Those before it are still ours and in order; it and all after it go back unsent.
      const after = line.messages.splice(at).filter(({ id }) => !lost.has(id));
      if (line.messages.length === 0) lines.drop(line);
      if (after.length > 0) void track(giveBack(after));
    }
  };

  const beat = async (): Promise<void> => {
    const renew = visitLines(clock.monotonic());
    if (lines.nextDueAt() <= clock.monotonic()) options.onReady();
    await Promise.all([
      renew.length > 0 ? renewAll(renew) : null,
      visibility.returning > 0 ? visibility.giveBackAgain() : null,
      options.deletions().beat(),
    ]);
  };

  const watch = (): void => {
    if (timer !== null || stopped || beating || (lines.size === 0 && visibility.returning === 0)) return;
    // Often enough to renew every third, and to see a short lease of a test end.
    const everyMs = Math.min(500, Math.max(25, options.leaseMs() / 12));
    timer = setTimeout(() => {
      timer = null;
      beating = true;
      void track(beat()).finally(() => {
        beating = false;
        watch();
      });
    }, everyMs);
  };

  return {
    giveBack: (messages) => track(giveBack(messages)),
    hide,
    abandon,
    sendAway: (entries) => track(sendAway(entries)),
    hideableMs,
    watch,
    settled: () => visibility.settled(),
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
