import type { Clock } from "../../../clock.ts";
import { ConfigError, DriverUnavailableError, type ConfigIssue } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { DriverEvents, ExtendResult, QueueDriver, QueueStats, SettleResult } from "../../driver.ts";
import { fitsDeadFilter } from "../../dead-filter.ts";
import { createPauseNote } from "../../pause-note.ts";
import type { SqsApi } from "./api.ts";
import { createSqsApi } from "./client.ts";
import { createAttemptMemory } from "./attempts.ts";
import { sqsCapabilities } from "./capabilities.ts";
import { byConsumer } from "./by-consumer.ts";
import { mapClientOptions } from "./client-options.ts";
import { createConsumer, type Consumer } from "./consumer/consumer.ts";
import { readCounts } from "./counts.ts";
import { createGrace } from "./grace.ts";
import { createOpenedQueues } from "./opened-queues.ts";
import type { SqsOptions } from "./options.ts";
import type { SqsQueue } from "./queue.ts";
import { throwIfNoneIsKnown } from "./settling/unknown.ts";
import { blaming, openQueues } from "./queues.ts";
import { enqueueJobs } from "./send.ts";
import { settingsFindings } from "./problems.ts";
import { createActions, maxReceives } from "./settling/action.ts";
import { createSettling } from "./settling/settle.ts";

export interface SqsContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
}

/** SQS deduplicates for five minutes, whatever is configured: using-messagededuplicationid-property.html. */
const deduplicationMs = 300_000;
/** Left of the shutdown deadline for giving back what the last poll brought. */
const shutdownMarginMs = 2_000;

/**
 * Amazon SQS, standard and FIFO.
 *
 * Beside the guarantees of QueueDriver, and what SQS makes of them:
 * - Attempts are counted by this process, per MessageId. Another process, or this one after a restart, starts
 *   again: more attempts, never fewer. What ends a job for certain is how long it has been failing, or 500 receives.
 * - A stored message cannot be rewritten: `body` of retry and park is not used; that of dead is.
 * - Of one FIFO group only the head is leased, and the next one follows a confirmed settlement.
 * - Short delays, parked jobs and what waits in its group are held by this process, hidden by heartbeats, and
 *   visible to others when it closes, or when their visibility ends should it be killed.
 *
 * @throws ConfigError where client_options hold what the client does not know.
 */
export function createSqsDriver(options: SqsOptions, context: SqsContext): QueueDriver {
  const { clock, log, events } = context;
  const memory = createAttemptMemory();
  const settings = mapClientOptions(options.clientOptions);
  // Here and not in `open`: `hookline config check` makes the driver and opens nothing.
  if (settings.issues.length > 0) throw new ConfigError(settings.issues);
  const queues = createOpenedQueues(clock);
  const pauses = new Map(options.queues.map(({ name }) => [name, createPauseNote(name, { clock, log })]));
  /** What `open` found that works, but not as it should. */
  let unfit: readonly Finding[] = [];
  let client: SqsApi | null = null;

  const api = (): SqsApi => {
    if (client === null) throw new DriverUnavailableError("sqs: not open yet, or closed");
    return client;
  };
  const { of } = queues;
  const setPaused = (name: string, isPaused: boolean): void => {
    const { consumer } = of(name);
    consumer[isPaused ? "pause" : "resume"](name);
    pauses.get(name)?.set(isPaused);
  };

  const actions = createActions({
    memory,
    clock,
    fifoOnFailure: options.fifoOnFailure,
    get maxAgeMs() {
      return options.maxAgeMs ?? options.retryScheduleMs * 1.5;
    },
    get retryDelaysMs() {
      return options.retryDelaysMs;
    },
  });
  const grace = createGrace({
    memory,
    clock,
    unknownGraceMs: options.unknownGraceMs,
    messageGroupId: options.messageGroupId,
  });
  const settling = createSettling({ api, actions, memory, clock, log, events });

  const pollSeconds = Math.min(
    options.waitTimeSeconds,
    Math.max(1, Math.floor((options.shutdownTimeoutMs - shutdownMarginMs) / 1000)),
  );

  const adopt = (queue: SqsQueue): Consumer => {
    const consumer = createConsumer({
      queue,
      api: api(),
      memory,
      clock,
      log,
      events,
      maxMessages: options.maxMessages,
      waitTimeSeconds: pollSeconds,
      pollingWaitTimeMs: options.pollingWaitTimeMs,
      visibilityTimeoutSeconds: options.visibilityTimeoutSeconds,
      groupRate: queue.fifo ? (options.groupRateLimit?.perSecond ?? null) : null,
      isReceivedTooOften: ({ receiveCount }) => receiveCount > maxReceives,
      giveUp: (target, line) => settling.giveUp(target, line),
    });
    queues.add(queue, consumer, api());
    return consumer;
  };

  const driver: QueueDriver = {
    name: "sqs",
    problems: () => [
      ...unfit,
      ...queues.findings(),
      ...[...pauses.values()].flatMap((pause) => pause.findings()),
    ],

    get capabilities() {
      return sqsCapabilities(options.fifo, queues.maxBytes);
    },

    async open(signal) {
      const issues: ConfigIssue[] = [];
      if (options.fifo && options.deduplicationTtlMs !== deduplicationMs) {
        issues.push({
          path: "queue.reliability.deduplication_ttl_ms",
          source: "",
          message: `SQS FIFO deduplicates for ${deduplicationMs} ms and nothing else: expected ${deduplicationMs}, got ${options.deduplicationTtlMs}`,
        });
      }
      if (issues.length > 0) throw new ConfigError(issues);
      client ??= await createSqsApi({
        region: options.region,
        endpointUrl: options.endpointUrl,
        config: settings.config,
        requestTimeoutMs: settings.requestTimeoutMs,
        warn: (text) => log.debug("sqs client", { text }),
      });
      const opened = await blaming(issues, () => openQueues(api(), options));
      issues.push(...(opened?.issues ?? []));
      try {
        for (const queue of issues.length > 0 || signal.aborted ? [] : (opened?.queues ?? [])) {
          const consumer = adopt(queue);
          if (options.consume) await blaming(issues, () => consumer.prime());
        }
        if (issues.length > 0) throw new ConfigError(issues);
      } catch (error) {
        // Opening may be tried again, and what the first receive brought must not wait for it here.
        await queues.close();
        throw error;
      }
      unfit = settingsFindings(options.notes, opened?.warnings ?? [], { clock, log });
      if (pollSeconds < options.waitTimeSeconds && options.consume) {
        log.info("polls are shorter than wait_time_seconds, so that none is cut off at shutdown", {
          wait_time_seconds: options.waitTimeSeconds,
          poll_seconds: pollSeconds,
          shutdown_timeout_ms: options.shutdownTimeoutMs,
        });
      }
    },

    enqueue: (queue, jobs) =>
      jobs.length === 0 ? Promise.resolve([]) : enqueueJobs(api(), of(queue).queue, queue, jobs, options),

    lease: (queue, request) => of(queue).consumer.lease(queue, request),

    async extend(leases, leaseMs) {
      const results: ExtendResult[] = leases.map(() => "lost");
      await byConsumer(
        leases,
        ({ queue }) => queues.find(queue)?.consumer,
        async (consumer, mine, indexes) => {
          const answers = await consumer.extend(
            mine.map(({ token }) => token),
            leaseMs,
          );
          for (const [at, index] of indexes.entries()) results[index] = answers[at] ?? "lost";
        },
      );
      return results;
    },

    async settle(settlements) {
      const results: SettleResult[] = settlements.map(() => ({ status: "lost" }));
      await byConsumer(
        settlements,
        ({ lease }) => queues.find(lease.queue)?.consumer,
        async (consumer, mine, indexes) => {
          const answers = await settling.settle(consumer, mine);
          for (const [at, index] of indexes.entries()) results[index] = answers[at] ?? { status: "lost" };
        },
      );
      throwIfNoneIsKnown(results);
      return results;
    },

    putBack({ queue, token }) {
      const { consumer } = of(queue);
      const head = consumer.lines.leased(token, clock.monotonic())?.messages[0];
      return head === undefined ? null : grace(consumer.queue, head);
    },

    async stats(name): Promise<QueueStats> {
      const { consumer, queue } = of(name);
      const [own, dead] = await Promise.all([readCounts(api(), queue), readCounts(api(), queue.dead)]);
      const { delayedCount, parkedCount, endedCount } = consumer.lines;
      return {
        ready: own.visible,
        delayed: own.delayed + delayedCount,
        leased: Math.max(0, own.inFlight - delayedCount - parkedCount - endedCount),
        parked: parkedCount,
        dead: dead.visible + dead.inFlight + dead.delayed,
        // Only CloudWatch knows it (ApproximateAgeOfOldestMessage).
        oldestReadyAgeMs: null,
        paused: consumer.isPaused(name),
      };
    },

    parkedJobs(name) {
      const { consumer, queue } = of(name);
      // Several logical queues on one physical one: it is counted once.
      return Promise.resolve(queue.logical[0] === name ? consumer.lines.parkedJobs() : []);
    },
    pause: (queue) => Promise.resolve(setPaused(queue, true)),
    resume: (queue) => Promise.resolve(setPaused(queue, false)),

    async deadLetters(queue, { limit, maxBytes, filter }) {
      // A filter is asked of the whole sample: SQS shows no other letters in place of those that do not fit.
      const most = filter === undefined ? limit : Number.MAX_SAFE_INTEGER;
      const sample = await of(queue).deadLetters.list(most, maxBytes);
      const items = filter === undefined ? sample : sample.filter((one) => fitsDeadFilter(filter, one));
      const { length: looked } = sample;
      return { items: items.slice(0, limit), cursors: [], looked, cursor: null, complete: false };
    },
    redrive: async (queue, which) => (await of(queue).deadLetters.redrive(which)).redriven,
    removeDead: (queue, id) => of(queue).deadLetters.remove(id),

    async ping() {
      const { first } = queues;
      if (first === undefined) throw new DriverUnavailableError("sqs: not open yet, or closed");
      await readCounts(api(), first.queue);
    },

    async close() {
      await queues.close();
      client?.destroy();
      client = null;
    },
  };

  return driver;
}
