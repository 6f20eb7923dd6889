import type { Clock } from "../clock.ts";
import type { OperatorEventsConfig, OperatorEventType } from "../config/schema-operator-events.ts";
import { sha256Hex } from "../jobs/id.ts";
import type { GenericJob } from "../jobs/job.ts";
import { encodeNative } from "../jobs/native.ts";
import type { Logger } from "../log.ts";
import type { EnqueueResult, NewJob } from "../queue/driver.ts";

/** Something that happened to hookline itself (contract §6). */
export interface OperatorEvent {
  readonly type: OperatorEventType;
  /** What it happened to: an endpoint's label, a queue's name, a child's id; "" for the process. */
  readonly object: string;
  /** What the receiver gets beside type, object and time. */
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Tells the endpoints of `operator_events` what happens.
 *
 * - Of one type about one object at most one event goes in a window, whatever happens meanwhile, and from all processes
 *   on a backend that deduplicates together: the id says type, object and window.
 * - An event endpoint hears nothing about itself, or its failures would feed themselves.
 * - Nothing waits for an event. What cannot be enqueued is gone: the log has said it.
 */
export interface OperatorEvents {
  /** Costs a comparison where nobody is told. */
  tell(event: OperatorEvent): void;
}

export interface OperatorEventsOptions {
  /** Who is told now. */
  readonly receivers: () => readonly OperatorEventsConfig[];
  /** The queue of an entry that names none. */
  readonly firstQueue: string;
  readonly enqueue: (queue: string, jobs: readonly NewJob[]) => Promise<EnqueueResult[]>;
  /** False while nothing can be enqueued: before the backend is open, and while the process ends. */
  readonly isOpen: () => boolean;
  readonly deduplicates: boolean;
  /** Masks secrets in a text. */
  readonly mask: (text: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Events of one window to one endpoint; more are a storm that nobody reads one by one. */
const mostInWindow = 1_000;
/** Hex digits of the hash in an id. */
const hashLength = 40;

interface Window {
  readonly number: number;
  readonly told: Set<string>;
}

export function createOperatorEvents(options: OperatorEventsOptions): OperatorEvents {
  const { clock, log } = options;
  const windows = new Map<string, Window>();
  let waiting = new Map<string, NewJob[]>();
  let isSending = false;
  let isFailing = false;

  /** False when the window has had it, or is full. */
  const isFirst = (endpoint: string, number: number, what: string): boolean => {
    let window = windows.get(endpoint);
    if (window?.number !== number) windows.set(endpoint, (window = { number, told: new Set() }));
    const { told } = window;
    if (told.has(what) || told.size > mostInWindow) return false;
    told.add(what);
    if (told.size <= mostInWindow) return true;
    log.warn("more operator events in one window than are sent; the log has all of them", {
      endpoint,
      most: mostInWindow,
    });
    return false;
  };

  const send = async (queue: string, jobs: readonly NewJob[]): Promise<void> => {
    try {
      const results = await options.enqueue(queue, jobs);
      const failed = results.find((result) => result.status === "failed");
      if (failed?.status === "failed") throw failed.error;
      isFailing = false;
    } catch (error) {
      // Once for an outage.
      if (!isFailing) log.warn("operator events cannot be enqueued; the log has them", { queue, error });
      isFailing = true;
    }
  };
  /** What gathers while one call is on its way goes with the next. */
  const sendAll = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    while (waiting.size > 0) {
      const batch = waiting;
      waiting = new Map();
      for (const [queue, jobs] of batch) await send(queue, jobs);
    }
    isSending = false;
  };

  const jobOf = (event: OperatorEvent, endpoint: string, window: number, now: number): NewJob => {
    const { type, object, data } = event;
    const hash = sha256Hex(JSON.stringify([endpoint, type, object, window])).slice(0, hashLength);
    const id = `op-${hash}`;
    const text = JSON.stringify({ object, ...data }, (_, value: unknown) =>
      typeof value === "string" ? options.mask(value) : value,
    );
    const job: GenericJob = {
      kind: "generic",
      source: "native",
      id,
      type,
      timestamp: new Date(now).toISOString(),
      data: text,
      appId: null,
      endpoint,
      deliveryId: null,
    };
    return {
      id,
      body: encodeNative(job, { id, endpoint, deliveryId: null }),
      delayMs: 0,
      group: null,
      deduplicationId: null,
      routing: { appId: "", channel: "", event: type },
      // Other processes word it otherwise: it is the same event all the same.
      dedup: options.deduplicates ? { key: `id:${id}`, fingerprint: hash } : null,
    };
  };

  return {
    tell(event) {
      const receivers = options.receivers();
      if (receivers.length === 0 || !options.isOpen()) return;
      const { type, object, data } = event;
      const now = clock.now();
      for (const { endpoint, types, queue, window_ms: windowMs } of receivers) {
        if (!types.includes(type) || object === endpoint || data["endpoint"] === endpoint) continue;
        const number = Math.floor(now / windowMs);
        if (!isFirst(endpoint, number, `${type} ${object}`)) continue;
        const job = jobOf(event, endpoint, number, now);
        const name = queue ?? options.firstQueue;
        const jobs = waiting.get(name);
        if (jobs === undefined) waiting.set(name, [job]);
        else jobs.push(job);
      }
      if (waiting.size > 0) void sendAll();
    },
  };
}
