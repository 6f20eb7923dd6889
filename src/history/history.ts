import type { Outcome } from "../delivery/outcome.ts";
import type { AttemptedDelivery, CancelledDelivery, DeliveryState, HistoryEntry, KeptBody } from "./entry.ts";
import type { Finding } from "../problems/finding.ts";
import { createEntryIds, type EntryIds } from "./entry-id.ts";
import { eventsOf } from "./events.ts";
import type { HistoryFilter } from "./filter.ts";
import { createShelf, type Shelf } from "./shelf.ts";

/** `history` of the configuration. */
export interface HistorySettings {
  readonly enabled: boolean;
  readonly memory_entries: number;
  readonly keep: "all" | "failed";
  readonly body: boolean;
}

/** How the job's lease ends after an attempt; the driver's disposition fits it. */
export type AttemptEnd =
  | { readonly verb: "dead"; readonly reason: string }
  | { readonly verb: "ack" | "replace" | "retry" | "park" | "release" };

/** Which entries are asked for. */
export interface HistoryQuery {
  /** Only entries older than the one of this number. */
  readonly below?: number | undefined;
  /**
   * Entries that do not fit may be left out, and may come all the same: a history that has an index uses it, and whoever
   * asks holds what comes against the filter (createMatcher).
   */
  readonly filter?: HistoryFilter;
}

/** The deliveries of this process, with their attempts. */
export interface History {
  /** Notes an attempt; must not throw. Costs about a microsecond, whatever the size of the body. */
  record(delivery: AttemptedDelivery, outcome: Outcome, end: AttemptEnd): void;
  /** Notes that a delivery's job was cancelled: at the entry with its attempts, or as one without any. */
  recordCancelled(delivery: CancelledDelivery): void;
  /** Newest first. What comes or goes meanwhile does no harm. */
  list(query?: HistoryQuery): AsyncIterable<HistoryEntry> | Iterable<HistoryEntry>;
  /** The entry of this number; null where there is none, or no longer. */
  find(number: number): Promise<HistoryEntry | null>;
  readonly ids: EntryIds;
  /** Takes what it needs for this process; resolves when it remembers. */
  open(): Promise<void>;
  findings(): Finding[];
  /** Keeps what it can until the signal aborts, and lets go. */
  close(signal: AbortSignal): Promise<void>;
}

/** The history in memory. */
export interface MemoryHistory extends History {
  list(query?: HistoryQuery): IterableIterator<HistoryEntry>;
  readonly size: number;
}

export interface HistoryOptions {
  /** Read anew for each attempt. */
  readonly settings: () => HistorySettings;
  /** Epoch ms. */
  readonly now: () => number;
  readonly maxBytes?: number;
}

/** For everything together (contract §2). */
const mostBytes = 16 * 1024 * 1024;
/** An entry with its texts, headers and first attempt. */
const entryBytes = 1_200;
const attemptBytes = 150;
const eventBytes = 100;
/** Of one delivery: a schedule may have any number of them. */
const mostAttempts = 50;

/**
 * A history in memory, bounded in entries and in bytes.
 *
 * It has two shelves, failures and the rest. Where there is no room, the shelf that takes more than half gives way:
 * so neither can push the other out of its half, and either may use what the other leaves. Bodies go first, the oldest
 * before others, then entries. A delivery stands among the failures when its first attempt seen here was no success.
 *
 * Recording keeps references and makes no text.
 */
export function createHistory(options: HistoryOptions): MemoryHistory {
  const { settings, now, maxBytes = mostBytes } = options;
  const failures = createShelf();
  const successes = createShelf();
  /** Deliveries that may be attempted again, by queue and webhook-id. */
  const open = new Map<string, HistoryEntry>();
  let last = 0;

  const shelfOf = (entry: HistoryEntry): Shelf => (entry.isFailure ? failures : successes);
  const forget = (entry: HistoryEntry | null): void => {
    if (entry === null || !entry.isFailure) return;
    const key = keyOf(entry.queue, entry.webhookId);
    if (open.get(key) === entry) open.delete(key);
  };
  const grow = (entry: HistoryEntry, bytes: number): void => {
    entry.bytes += bytes;
    shelfOf(entry).bytes += bytes;
  };

  const makeRoom = (entries: number): void => {
    while (failures.size + successes.size > entries) {
      forget((failures.size * 2 > entries ? failures : successes).dropOldest());
    }
    while (failures.bytes + successes.bytes > maxBytes) {
      const fuller = failures.bytes * 2 > maxBytes ? failures : successes;
      const entry = fuller.oldestWithBody();
      if (entry === null) {
        forget(fuller.dropOldest());
        continue;
      }
      grow(entry, -bytesOf(entry.body));
      entry.body = null;
    }
  };

  const add = (
    delivery: Omit<CancelledDelivery, "queue">,
    queue: string,
    isFailure: boolean,
    keepsBody: boolean,
  ): HistoryEntry => {
    const { app, boundEvents, content, endpoint, job } = delivery;
    const events = eventsOf(delivery);
    const body = keepsBody ? { job, boundEvents, content } : null;
    last += 1;
    const entry: HistoryEntry = {
      number: last,
      queue,
      appId: app === null ? null : app.id,
      endpoint: endpoint?.name ?? "",
      label: endpoint?.label ?? "",
      jobId: delivery.jobId,
      webhookId: delivery.id,
      resendOf: job.resendOf ?? null,
      events,
      attempts: [],
      attemptsLeftOut: 0,
      state: "retrying",
      deadReason: null,
      cancelledAt: null,
      headers: null,
      body,
      isFailure,
      bytes: entryBytes + eventBytes * events.length + bytesOf(body),
    };
    (isFailure ? failures : successes).add(entry);
    return entry;
  };

  return {
    ids: createEntryIds(),
    get size() {
      return failures.size + successes.size;
    },
    record(delivery, outcome, end) {
      const { enabled, memory_entries: entries, keep, body } = settings();
      if (!enabled) {
        if (failures.size + successes.size > 0) makeRoom(0);
        return;
      }
      const isDelivered = outcome.kind === "delivered";
      const key = open.size === 0 && isDelivered ? null : keyOf(delivery.held.lease.queue, delivery.id);
      let entry = (key === null ? undefined : open.get(key)) ?? null;
      // A redrive counts from 1 again and is another delivery to look at.
      if (entry !== null && delivery.attempt < (entry.attempts.at(-1)?.attempt ?? 0)) entry = null;
      if (entry === null) {
        if (isDelivered && keep === "failed") return;
        entry = add(delivery, delivery.held.lease.queue, !isDelivered, body);
      }
      if (entry.attempts.length === mostAttempts) {
        // The first one tells when it began, the later ones how it is going.
        const [gone] = entry.attempts.splice(1, 1);
        grow(entry, -(gone?.answer?.length ?? 0));
        entry.attemptsLeftOut += 1;
      } else if (entry.attempts.length > 0) grow(entry, attemptBytes);
      const answer = delivery.trace?.answer ?? null;
      if (answer !== null && answer !== "") grow(entry, answer.length);
      entry.attempts.push({ attempt: delivery.attempt, at: now() - outcome.durationMs, outcome, answer });
      entry.headers = delivery.trace?.headers ?? null;
      entry.state = stateAfter(end);
      entry.deadReason = end.verb === "dead" ? end.reason : null;
      if (key !== null && entry.isFailure) {
        if (entry.state === "retrying" || entry.state === "released") open.set(key, entry);
        else open.delete(key);
      }
      makeRoom(entries);
    },
    recordCancelled(delivery) {
      const { enabled, memory_entries: entries, body } = settings();
      if (!enabled) return;
      const key = keyOf(delivery.queue, delivery.id);
      const entry = open.get(key) ?? add(delivery, delivery.queue, true, body);
      open.delete(key);
      entry.state = "cancelled";
      entry.cancelledAt = now();
      makeRoom(entries);
    },
    *list({ below = Infinity } = {}) {
      const walks = [failures.downFrom(below), successes.downFrom(below)];
      const next = walks.map((walk) => walk.next());
      for (;;) {
        const numbers = next.map((one) => (one.done === true ? 0 : one.value.number));
        const at = (numbers[0] as number) > (numbers[1] as number) ? 0 : 1;
        const one = next[at] as IteratorResult<HistoryEntry>;
        if (one.done === true) return;
        yield one.value;
        next[at] = (walks[at] as IterableIterator<HistoryEntry>).next();
      }
    },
    open: () => Promise.resolve(),
    findings: () => [],
    close: () => Promise.resolve(),
    find: (number) => Promise.resolve(failures.find(number) ?? successes.find(number)),
  };
}

function keyOf(queue: string, webhookId: string): string {
  return `${queue} ${webhookId}`;
}

/** What a delivery comes to by the end of its lease. */
export function stateAfter({ verb }: AttemptEnd): DeliveryState {
  if (verb === "ack" || verb === "replace") return "delivered";
  if (verb === "dead") return "dead";
  return verb === "retry" ? "retrying" : "released";
}

/**
 * What keeping a body keeps alive; content that is the job's payload is the same memory. Characters of a text: to count
 * its bytes would cost time for each of them.
 */
function bytesOf(body: KeptBody | null): number {
  if (body === null) return 0;
  const { job, content } = body;
  const source = job.kind === "pusher" ? job.payload : job.kind === "generic" ? job.data : job.content;
  return (source === content ? 0 : content.length) + source.length;
}
