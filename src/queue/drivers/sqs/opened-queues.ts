import { DriverUnavailableError } from "../../../errors.ts";
import type { Clock } from "../../../clock.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { SqsApi } from "./api.ts";
import type { Consumer } from "./consumer/consumer.ts";
import { createDeadLetters, type DeadLetters } from "./dead/letters.ts";
import { unsettled } from "./problems.ts";
import { sqsMaxBytes, type SqsQueue } from "./queue.ts";

/** A queue that the driver works on. */
export interface OpenedQueue {
  readonly queue: SqsQueue;
  readonly consumer: Consumer;
  readonly deadLetters: DeadLetters;
}

/** The queues of an open driver, by the names that the configuration has for them: several may be one at SQS. */
export interface OpenedQueues {
  add(queue: SqsQueue, consumer: Consumer, api: SqsApi): void;
  /** @throws DriverUnavailableError when it is not open. */
  readonly of: (name: string) => OpenedQueue;
  find(name: string): OpenedQueue | undefined;
  /** The first one; undefined when none is open. */
  readonly first: OpenedQueue | undefined;
  /** Largest message that all of them take. */
  readonly maxBytes: number;
  findings(): Finding[];
  /** Closes and forgets all of them. */
  close(): Promise<void>;
}

export function createOpenedQueues(clock: Clock): OpenedQueues {
  const byName = new Map<string, OpenedQueue>();
  const all = new Set<OpenedQueue>();
  return {
    add(queue, consumer, api) {
      const opened = { queue, consumer, deadLetters: createDeadLetters(queue, api, clock) };
      all.add(opened);
      for (const name of queue.logical) byName.set(name, opened);
    },
    of(name) {
      const found = byName.get(name);
      if (found === undefined) throw new DriverUnavailableError(`sqs: queue ${name} is not open`);
      return found;
    },
    find: (name) => byName.get(name),
    get first() {
      return all.values().next().value;
    },
    get maxBytes() {
      return Math.min(sqsMaxBytes, ...[...all].map(({ queue }) => queue.maxBytes));
    },
    findings: () =>
      [...all].flatMap(({ queue, consumer, deadLetters }) =>
        unsettled(queue.logical[0] ?? queue.name, consumer.ended, deadLetters.ended),
      ),
    async close() {
      const closing = [...all];
      all.clear();
      byName.clear();
      await Promise.all(
        closing.flatMap(({ consumer, deadLetters }) => [consumer.close(), deadLetters.release()]),
      );
    },
  };
}
