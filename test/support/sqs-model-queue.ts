import { randomUUID } from "node:crypto";
import type { ModelClock } from "./sqs-model-clock.ts";
import { invalidHandle, invalidValue, SqsError } from "./sqs-model-errors.ts";
import { type ModelAttribute, type ModelMessage, sha256 } from "./sqs-model-message.ts";

/** 12 hours from the receive: API_ChangeMessageVisibility. */
const longestHideMs = 43_200_000;
/** using-messagededuplicationid-property.html: the interval is 5 minutes, and deleted messages count too. */
const deduplicationMs = 300_000;

/** One queue's contents and rules. */
export interface ModelQueue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  readonly fifo: boolean;
  readonly attributes: Record<string, string>;
  readonly createdAt: number;
  /** Everything stored, in order of sending. */
  readonly messages: ReadonlyMap<string, ModelMessage>;
  send(entry: NewModelMessage): { id: string; sequence: string | null };
  /** What a receive gets now; empty when nothing is available. */
  receive(max: number, visibilityMs: number): ModelMessage[];
  /** Resolves when something may have become available, or at the deadline (model time). */
  wait(untilTime: number): Promise<void>;
  remove(handle: string): void;
  changeVisibility(handle: string, seconds: number): void;
  /** Puts a message moved by another queue's RedrivePolicy here. */
  adopt(message: ModelMessage): void;
  purge(): void;
  counts(): { visible: number; inFlight: number; delayed: number };
  /** Lets waiters look again. */
  wake(): void;
}

export interface NewModelMessage {
  readonly body: string;
  readonly attributes: Readonly<Record<string, ModelAttribute>>;
  readonly group: string | null;
  readonly deduplicationId: string | null;
  readonly delaySeconds: number | null;
}

/** In flight: received, not deleted, and not visible again yet. */
const inFlight = (message: ModelMessage, now: number): boolean =>
  message.handle !== null && message.visibleAt > now;

export function createModelQueue(options: {
  name: string;
  url: string;
  arn: string;
  attributes: Record<string, string>;
  clock: ModelClock;
  nextSequence: () => bigint;
  /** In-flight messages the queue allows (quotas-messages.html: 120,000 standard, 20,000 FIFO). */
  inFlightQuota: number;
  findByArn: (arn: string) => ModelQueue | null;
}): ModelQueue {
  const { name, url, arn, attributes, clock, nextSequence, findByArn } = options;
  const fifo = name.endsWith(".fifo");
  const messages = new Map<string, ModelMessage>();
  const byHandle = new Map<string, ModelMessage>();
  const seen = new Map<string, { id: string; sequence: string; until: number }>();
  const waiters = new Set<() => void>();
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };

  const redrive = (): { target: ModelQueue; maxReceiveCount: number } | null => {
    if (attributes["RedrivePolicy"] === undefined || attributes["RedrivePolicy"] === "") return null;
    const policy = JSON.parse(attributes["RedrivePolicy"]) as {
      deadLetterTargetArn: string;
      maxReceiveCount: number | string;
    };
    const target = findByArn(policy.deadLetterTargetArn);
    return target === null ? null : { target, maxReceiveCount: Number(policy.maxReceiveCount) };
  };

  const take = (message: ModelMessage, visibilityMs: number): ModelMessage => {
    const now = clock.now();
    message.handle = `${randomUUID()}#${message.id}`;
    byHandle.set(message.handle, message);
    message.receiveCount += 1;
    message.firstReceivedAt ??= now;
    message.receivedAt = now;
    message.visibleAt = now + visibilityMs;
    return { ...message };
  };

  /** True when the message went to the dead letter queue instead of to the receiver. */
  const redriven = (message: ModelMessage): boolean => {
    const policy = redrive();
    // API_SetQueueAttributes, maxReceiveCount: moved when the count exceeds it.
    if (policy === null || message.receiveCount < policy.maxReceiveCount) return false;
    messages.delete(message.id);
    policy.target.adopt({ ...message, handle: null, visibleAt: 0, deadLetterSource: arn });
    return true;
  };

  const available = (): ModelMessage[] => {
    const now = clock.now();
    if (!fifo) return [...messages.values()].filter((message) => message.visibleAt <= now);
    // FIFO-queues-understanding-logic.html: while messages of a group are in flight, no other of that
    // group is received; a message that is not available yet holds back those after it.
    const locked = new Set<string>();
    for (const message of messages.values()) if (inFlight(message, now)) locked.add(message.group ?? "");
    const groups = new Map<string, ModelMessage[]>();
    for (const message of messages.values()) {
      const group = message.group ?? "";
      if (locked.has(group)) continue;
      if (message.visibleAt > now) {
        locked.add(group);
        continue;
      }
      const line = groups.get(group);
      if (line === undefined) groups.set(group, [message]);
      else line.push(message);
    }
    // Same page: a receive returns as many of one group as possible, then of others.
    return [...groups.values()].flat();
  };

  const find = (handle: string): ModelMessage => {
    const message = byHandle.get(handle);
    if (message === undefined) throw invalidHandle(handle);
    return message;
  };

  return {
    name,
    url,
    arn,
    fifo,
    attributes,
    createdAt: clock.now(),
    messages,
    wake,

    send(entry) {
      const now = clock.now();
      const deduplicationId = fifo ? (entry.deduplicationId ?? sha256(entry.body)) : null;
      // DeduplicationScope (API_CreateQueue): per queue, or per message group.
      const scope = attributes["DeduplicationScope"] === "messageGroup" ? `${entry.group}\n` : "";
      if (deduplicationId !== null) {
        const first = seen.get(scope + deduplicationId);
        if (first !== undefined && first.until > now) return first;
      }
      const delay = (entry.delaySeconds ?? Number(attributes["DelaySeconds"] ?? 0)) * 1000;
      const sequence = nextSequence();
      const message: ModelMessage = {
        id: randomUUID(),
        body: entry.body,
        attributes: entry.attributes,
        group: entry.group,
        deduplicationId,
        sequence,
        sentAt: now,
        visibleAt: now + delay,
        receiveCount: 0,
        firstReceivedAt: null,
        receivedAt: 0,
        handle: null,
        deadLetterSource: null,
      };
      messages.set(message.id, message);
      const answer = { id: message.id, sequence: sequence.toString().padStart(20, "0") };
      if (deduplicationId !== null) {
        seen.set(scope + deduplicationId, { ...answer, until: now + deduplicationMs });
      }
      wake();
      return { id: answer.id, sequence: fifo ? answer.sequence : null };
    },

    receive(max, visibilityMs) {
      const now = clock.now();
      let flying = 0;
      for (const message of messages.values()) if (inFlight(message, now)) flying += 1;
      if (flying >= options.inFlightQuota) {
        // API_ReceiveMessage: standard queues answer OverLimit, FIFO queues return no messages.
        if (fifo) return [];
        throw new SqsError("OverLimit", "Too many in flight messages.", "OverLimit", 403);
      }
      const taken: ModelMessage[] = [];
      for (const message of available()) {
        if (taken.length >= max) break;
        if (!redriven(message)) taken.push(take(message, visibilityMs));
      }
      return taken;
    },

    wait(untilTime) {
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiters.delete(done);
          resolve();
        };
        let next = untilTime;
        const now = clock.now();
        for (const message of messages.values()) {
          if (message.visibleAt > now && message.visibleAt < next) next = message.visibleAt;
        }
        const timer = setTimeout(done, Math.max(1, next - now));
        waiters.add(done);
      });
    },

    remove(handle) {
      const message = find(handle);
      if (!messages.has(message.id)) return;
      // FIFO: repost.aws/knowledge-center/sqs-receipt-handle-error, "The receipt handle has expired".
      if (fifo && (message.handle !== handle || message.visibleAt <= clock.now())) {
        throw invalidValue(
          `Value ${handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
        );
      }
      // API_DeleteMessage: with an older handle "the request succeeds, but the message will not be deleted".
      if (message.handle !== handle) return;
      // The handle is remembered: a delete that is repeated (its answer was lost) succeeds again.
      messages.delete(message.id);
      wake();
    },

    changeVisibility(handle, seconds) {
      const message = find(handle);
      const now = clock.now();
      if (!messages.has(message.id) || message.handle !== handle || message.visibleAt <= now) {
        if (fifo) {
          throw invalidValue(
            `Value ${handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
          );
        }
        throw new SqsError(
          "MessageNotInflight",
          "The specified message isn't in flight.",
          "AWS.SimpleQueueService.MessageNotInflight",
        );
      }
      if (now + seconds * 1000 > message.receivedAt + longestHideMs) {
        throw invalidValue(
          `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].`,
        );
      }
      message.visibleAt = now + seconds * 1000;
      // Sooner or later alike: waiters sleep until the earliest time they knew.
      wake();
    },

    adopt(message) {
      messages.set(message.id, message);
      wake();
    },

    purge() {
      messages.clear();
    },

    counts() {
      const now = clock.now();
      const counts = { visible: 0, inFlight: 0, delayed: 0 };
      for (const message of messages.values()) {
        if (message.visibleAt <= now) counts.visible += 1;
        else if (message.handle === null) counts.delayed += 1;
        else counts.inFlight += 1;
      }
      return counts;
    },
  };
}
