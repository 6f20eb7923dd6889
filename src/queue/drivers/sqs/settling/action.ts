import { shortened } from "../../../../bounded-text.ts";
import type { Clock } from "../../../../clock.ts";
import type { Disposition, OwnDeadLetter } from "../../../driver.ts";
import type { OutgoingMessage } from "../api.ts";
import type { AttemptMemory, Memory } from "../attempts.ts";
import { encodeBody, messageBytes } from "../body.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { deadMessage } from "../dead/copy.ts";
import { childDeduplicationId, childGroup } from "../ids.ts";
import type { MessageLine } from "../consumer/message-line.ts";
import type { HeldMessage } from "../message.ts";
import { encodeMeta, metaAttribute } from "../meta.ts";

/** What a settlement needs of SQS. */
export type Action =
  /** Copies are written, all of them confirmed; then the message is deleted. */
  | {
      readonly kind: "end";
      readonly copies: readonly Copy[];
      /** What nobody but the driver gave up; told through DriverEvents once the message is deleted. */
      readonly own: readonly OwnDeadLetter[];
    }
  /** Visible again after so long; `change` is remembered once SQS has confirmed. */
  | { readonly kind: "hide"; readonly forMs: number; readonly change: Partial<Memory> | null }
  /** Nothing: it waits in this process. */
  | { readonly kind: "delay"; readonly dueAt: number; readonly change: Partial<Memory> }
  | { readonly kind: "park"; readonly key: string }
  /** A copy that must be written fits nowhere. The message stays where it is. */
  | { readonly kind: "stuck" };

export interface Copy {
  /** Unique among the copies of one message: not written again when the settlement is repeated. */
  readonly key: string;
  readonly message: OutgoingMessage;
  readonly to: "dead" | "own";
}

/** A message received this often is given up whatever its count says: it may be what kills the process. */
export const maxReceives = 500;
/** Held in this process with heartbeats, of one queue; further retries are hidden in SQS. */
const maxDelayed = 10_000;
/** A delay up to this is held: no request, and to the millisecond. */
const heldDelayMs = 30_000;

export interface ActionOptions {
  readonly memory: AttemptMemory;
  readonly clock: Clock;
  readonly fifoOnFailure: "block" | "dead";
  /** A job that has been failing for longer is given up, whatever its count says. */
  readonly maxAgeMs: number;
  /** The longest delay that a schedule has after attempt 1, 2, …; the last one repeats. */
  readonly retryDelaysMs: readonly number[];
}

type Dead = Extract<Disposition, { verb: "dead" }>;
type Retry = Extract<Disposition, { verb: "retry" }>;
type GivenUp = Pick<Dead, "reason" | "detail">;

/** Turns dispositions into what has to be done at SQS; changes nothing by itself. */
export interface Actions {
  choose(consumer: Consumer, disposition: Disposition, line: MessageLine, now: number): Action;
  /** The end of a message that was received too often to be tried once more. */
  giveUp(consumer: Consumer, head: HeldMessage): Action;
}

export function createActions(options: ActionOptions): Actions {
  const { memory, clock } = options;

  const dead = (consumer: Consumer, head: HeldMessage, given: Omit<Dead, "verb">, isOwn: boolean): Action => {
    const { attempted, reason, endpoint, body, id = head.jobId } = given;
    const { attempts: charged, putBacks } = memory.recall(head.id);
    const attempts = charged + (attempted ? 1 : 0);
    const before = putBacks === 0 || attempted ? [] : [`put back ${putBacks} times before`];
    const detail =
      given.detail === null
        ? null
        : [shortened(given.detail, before.length === 0 ? 500 : 450), ...before].join("; ");
    const copy = { jobId: id, body: body ?? head.body, reason, detail, endpoint, attempts };
    const message = deadMessage(consumer.queue, head, copy, clock.now());
    return message === null
      ? { kind: "stuck" }
      : { kind: "end", copies: [{ key: "dead", message, to: "dead" }], own: isOwn ? [copy] : [] };
  };

  const replace = (
    { queue }: Consumer,
    head: HeldMessage,
    jobs: Extract<Disposition, { verb: "replace" }>["jobs"],
  ): Action => {
    const copies: Copy[] = [];
    const own: OwnDeadLetter[] = [];
    for (const job of jobs) {
      const { text, encoding } = encodeBody(job.body);
      const attributes = {
        [metaAttribute]: encodeMeta({ id: job.id, encoding, enqueuedAt: head.enqueuedAt, dead: null }),
      };
      if (messageBytes(text, attributes) <= queue.maxBytes) {
        const message: OutgoingMessage = {
          body: text,
          attributes,
          group: queue.fifo ? childGroup(head.group, job.endpoint) : null,
          deduplicationId: queue.fifo ? childDeduplicationId(head.id, job.endpoint) : null,
          delaySeconds: null,
        };
        copies.push({ key: job.id, message, to: "own" });
        continue;
      }
      // Its parent fitted: this delivery alone is given up, packed, and the others go on.
      const copy = {
        jobId: job.id,
        body: job.body,
        reason: "payload_too_large",
        detail: `larger than the ${queue.maxBytes} bytes that ${queue.name} takes`,
        endpoint: job.endpoint,
        attempts: 0,
      };
      const message = deadMessage(queue, head, copy, clock.now());
      if (message === null) return { kind: "stuck" };
      copies.push({ key: job.id, message, to: "dead" });
      own.push(copy);
    }
    return { kind: "end", copies, own };
  };

  const received = ({ receiveCount }: HeldMessage): GivenUp => ({
    reason: "max_receives",
    detail: `received ${receiveCount} times without an end`,
  });

  /** What ends a failing job although its own count would go on, or null. */
  const givenUp = ({ queue }: Consumer, head: HeldMessage, failingMs: number): GivenUp | null => {
    const attempt = memory.recall(head.id).attempts + 1;
    if (queue.fifo && options.fifoOnFailure === "dead") {
      return { reason: "fifo_on_failure", detail: "fifo_on_failure is dead: given up at its first failure" };
    }
    if (queue.maxReceiveCount !== null && attempt >= queue.maxReceiveCount - 1) {
      return {
        reason: "attempts_exhausted",
        detail: `attempt ${attempt}: the queue's RedrivePolicy (maxReceiveCount ${queue.maxReceiveCount}) allows no more`,
      };
    }
    if (head.receiveCount >= maxReceives) return received(head);
    if (failingMs <= options.maxAgeMs) return null;
    const [failing, most] = [failingMs, options.maxAgeMs].map((ms) => Math.round(ms / 100) / 10);
    return {
      reason: "max_age",
      detail: `failing for ${failing} s since its first attempt, waits for its turn left out; the limit is ${most} s, 1.5 times its retry schedule`,
    };
  };

  /**
   * How long a job has been failing when an attempt ends: its delays and attempts since the first one.
   *
   * Nothing else counts, or a job that waited for a paused endpoint, its lane or its group would die of its next
   * failure. Nor does what a receiver's Retry-After adds to the schedule.
   */
  const failingSince = (line: MessageLine, head: HeldMessage, given: Retry, now: number): number => {
    const { attempts, failingMs } = memory.recall(head.id);
    return attempts === 0 ? 0 : failingMs + (given.attemptMs ?? now - line.since);
  };
  const scheduledMs = (attempt: number, delayMs: number): number => {
    const { retryDelaysMs } = options;
    return Math.min(delayMs, retryDelaysMs[attempt - 1] ?? retryDelaysMs.at(-1) ?? delayMs);
  };

  /**
   * A short delay waits here. A long one is hidden in SQS, where it survives this process, unless a
   * RedrivePolicy counts every receive.
   */
  const retry = (
    consumer: Consumer,
    line: MessageLine,
    head: HeldMessage,
    given: Retry,
    now: number,
  ): Action => {
    const { delayMs, endpoint = null, body, id } = given;
    const failingMs = failingSince(line, head, given, now);
    const end = givenUp(consumer, head, failingMs);
    if (end !== null) {
      // Ours last, and whole: what the attempt came to may be 500 characters of a receiver's.
      const detail =
        given.detail === undefined ? end.detail : `${shortened(given.detail, 300)}; ${end.detail}`;
      const kept = { ...(body === undefined ? {} : { body }), ...(id === undefined ? {} : { id }) };
      return dead(consumer, head, { ...end, detail, endpoint, attempted: true, ...kept }, true);
    }
    const dueAt = now + delayMs;
    const attempts = memory.recall(head.id).attempts + 1;
    const change = {
      attempts,
      failingMs: failingMs + scheduledMs(attempts, delayMs),
      dueAt,
      parkedTimes: 0,
    };
    const mayHold = consumer.keeper.hideableMs(head) > delayMs + heldDelayMs;
    const wantsHold = delayMs <= heldDelayMs || consumer.queue.maxReceiveCount !== null;
    if (mayHold && wantsHold && consumer.lines.delayedCount < maxDelayed)
      return { kind: "delay", dueAt, change };
    return { kind: "hide", forMs: Math.max(1, delayMs), change };
  };

  return {
    choose(consumer, disposition, line, now) {
      const head = line.messages[0] as HeldMessage;
      switch (disposition.verb) {
        case "ack":
          return { kind: "end", copies: [], own: [] };
        case "release": {
          const { delayMs } = disposition;
          if (delayMs === undefined) return { kind: "hide", forMs: 0, change: null };
          const change = { putBacks: memory.recall(head.id).putBacks + 1 };
          return { kind: "hide", forMs: delayMs, change };
        }
        case "park":
          return { kind: "park", key: disposition.key };
        case "replace":
          return replace(consumer, head, disposition.jobs);
        case "dead":
          return dead(consumer, head, disposition, false);
        default:
          return retry(consumer, line, head, disposition, now);
      }
    },
    giveUp: (consumer, head) =>
      dead(consumer, head, { ...received(head), endpoint: null, attempted: false }, true),
  };
}
