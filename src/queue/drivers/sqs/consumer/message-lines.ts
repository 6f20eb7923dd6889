import type { ParkedJobs } from "../../../driver.ts";
import type { HeldMessage } from "../message.ts";
import type { MessageLine } from "./message-line.ts";
import type { GroupRate } from "./rate.ts";

/** The messages of one SQS queue that this process holds, in lines (message-line.ts). */
export interface MessageLines {
  /**
   * Takes received messages in. A message that is held already was handed out again by SQS: what the line
   * held of it is void. Returns the lines dropped for that, and what they were before.
   */
  add(messages: readonly HeldMessage[], now: number): { line: MessageLine; was: MessageLine["state"] }[];
  /** Up to `max` lines whose head may start now: due ones first, then unparked ones, then the rest. */
  offer(max: number, now: number, closedKeys: ReadonlySet<string>, parkedMax: number): MessageLine[];
  grant(line: MessageLine, token: string, queue: string, leasedUntil: number, now: number): void;
  /** The line whose head is leased under this token; null when it is not, or its lease has run out. */
  leased(token: string, now: number): MessageLine | null;
  settling(line: MessageLine, now: number): void;
  revert(line: MessageLine): void;
  /** The head is gone from SQS: the next one may start. */
  next(line: MessageLine, now: number): void;
  ready(line: MessageLine, now: number): void;
  delay(line: MessageLine, dueAt: number, now: number): void;
  park(line: MessageLine, key: string, now: number): void;
  /** The head's job has ended, and only its deletion is left: its body is let go of. */
  end(line: MessageLine, now: number): void;
  /** Forgets the line; the caller gives its messages back. */
  drop(line: MessageLine): HeldMessage[];
  all(): Iterable<MessageLine>;
  /** The line this message belongs to. */
  of(message: HeldMessage): MessageLine | undefined;
  /** Heads that could start at once. */
  readonly readyCount: number;
  readonly delayedCount: number;
  readonly parkedCount: number;
  /** What is parked, by key. */
  parkedJobs(): ParkedJobs[];
  readonly endedCount: number;
  ended(): Iterable<MessageLine>;
  readonly size: number;
  /** Monotonic ms of the next due delay; Infinity when there is none. */
  nextDueAt(): number;
}

export function createMessageLines(options: { fifo: boolean; rate: GroupRate }): MessageLines {
  const { fifo, rate } = options;
  const all = new Map<string, MessageLine>();
  const tokens = new Map<string, MessageLine>();
  const readyLines = new Set<MessageLine>();
  const delayed = new Set<MessageLine>();
  const parked = new Map<string, Set<MessageLine>>();
  const ended = new Set<MessageLine>();
  let parkedCount = 0;
  const keyOf = (message: HeldMessage): string => (fifo ? (message.group ?? "") : message.id);

  const leave = (line: MessageLine): void => {
    if (line.state === "ready") readyLines.delete(line);
    else if (line.state === "delayed") delayed.delete(line);
    else if (line.state === "ended") ended.delete(line);
    else if (line.state === "parked") {
      const lane = parked.get(line.parkKey ?? "");
      if (lane?.delete(line) === true) parkedCount -= 1;
      if (lane?.size === 0) parked.delete(line.parkKey ?? "");
    }
    line.parkKey = null;
  };
  const enter = (line: MessageLine, state: MessageLine["state"], now: number): void => {
    leave(line);
    line.state = state;
    line.since = now;
    if (line.token !== null && state !== "leased" && state !== "settling") {
      tokens.delete(line.token);
      line.token = null;
    }
  };

  const lines: MessageLines = {
    add(messages, now) {
      const dropped: { line: MessageLine; was: MessageLine["state"] }[] = [];
      for (const message of messages) {
        const key = keyOf(message);
        const held = all.get(key);
        if (held !== undefined && held.messages.some(({ id }) => id === message.id)) {
          dropped.push({ line: held, was: held.state });
          lines.drop(held);
        } else if (held !== undefined) {
          held.messages.push(message);
          continue;
        }
        const line: MessageLine = {
          key,
          messages: [message],
          state: "gone",
          since: now,
          token: null,
          leasedUntil: 0,
          leasedFor: "",
          dueAt: 0,
          parkKey: null,
        };
        all.set(key, line);
        lines.ready(line, now);
      }
      return dropped;
    },

    offer(max, now, closedKeys, parkedMax) {
      const offered: MessageLine[] = [];
      const take = (line: MessageLine): void => {
        const earliest = rate.earliest(line.key);
        if (earliest > now) return lines.delay(line, earliest, now);
        rate.started(line.key, now);
        enter(line, "offered", now);
        offered.push(line);
      };
      if (delayed.size > 0 && offered.length < max) {
        const due = [...delayed].filter(({ dueAt }) => dueAt <= now).sort((a, b) => a.dueAt - b.dueAt);
        for (const line of due) if (offered.length < max) take(line);
      }
      for (const [key, lane] of parked) {
        if (closedKeys.has(key)) continue;
        let fromLane = 0;
        for (const line of lane) {
          if (offered.length >= max || fromLane >= parkedMax) break;
          fromLane += 1;
          take(line);
        }
      }
      for (const line of readyLines) {
        if (offered.length >= max) break;
        take(line);
      }
      return offered;
    },

    grant(line, token, queue, leasedUntil, now) {
      enter(line, "leased", now);
      line.token = token;
      line.leasedFor = queue;
      line.leasedUntil = leasedUntil;
      tokens.set(token, line);
    },

    leased(token, now) {
      const line = tokens.get(token);
      return line?.state === "leased" && line.leasedUntil > now ? line : null;
    },

    settling: (line, now) => enter(line, "settling", now),

    revert(line) {
      if (line.state === "settling") line.state = "leased";
    },

    next(line, now) {
      if (line.state === "gone") return;
      line.messages.shift();
      if (line.messages.length === 0) lines.drop(line);
      else lines.ready(line, now);
    },

    ready(line, now) {
      enter(line, "ready", now);
      readyLines.add(line);
    },

    delay(line, dueAt, now) {
      enter(line, "delayed", now);
      line.dueAt = dueAt;
      delayed.add(line);
    },

    park(line, key, now) {
      enter(line, "parked", now);
      line.parkKey = key;
      const lane = parked.get(key);
      if (lane === undefined) parked.set(key, new Set([line]));
      else lane.add(line);
      parkedCount += 1;
    },

    end(line, now) {
      enter(line, "ended", now);
      const [head] = line.messages;
      if (head !== undefined) line.messages[0] = { ...head, body: "", attributes: {} };
      ended.add(line);
    },

    drop(line) {
      enter(line, "gone", line.since);
      if (all.get(line.key) === line) all.delete(line.key);
      return line.messages;
    },

    all: () => all.values(),
    of: (message) => all.get(keyOf(message)),
    get readyCount() {
      return readyLines.size;
    },
    get delayedCount() {
      return delayed.size;
    },
    get parkedCount() {
      return parkedCount;
    },
    parkedJobs: () =>
      [...parked].map(([key, lane]) => {
        const [first] = lane;
        return { key, count: lane.size, oldestEnqueuedAt: first?.messages[0]?.enqueuedAt ?? null };
      }),
    get endedCount() {
      return ended.size;
    },
    ended: () => ended,
    get size() {
      return all.size;
    },
    nextDueAt() {
      let next = Infinity;
      for (const { dueAt } of delayed) if (dueAt < next) next = dueAt;
      return next;
    },
  };
  return lines;
}
