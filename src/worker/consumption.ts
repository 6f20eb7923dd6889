import type { Clock } from "../clock.ts";
import type { Config, GroupConfig, QueueConfig } from "../config/schema.ts";
import type { Cut } from "../delivery/cut.ts";
import type { Live } from "../delivery/live.ts";
import type { Outcome } from "../delivery/outcome.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Consuming } from "../queue/backend.ts";
import type { QueueDriver } from "../queue/driver.ts";
import type { Death } from "../problems/recent-deaths.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { BackendFaults } from "./backend-health.ts";
import type { Delivery, RecordAttempt } from "./delivery.ts";
import type { EndpointGates } from "../endpoints/registry.ts";
import { waitingIn, type WaitingHere } from "./endpoint-metrics.ts";
import { createBeyondSlots, createSlots } from "./schedule/slots.ts";
import type { StoredApps } from "./stored-apps.ts";
import { createPlanContexts } from "./plan-context.ts";
import { createQueueWorker, type QueueWorker } from "./queue-worker.ts";

export interface ConsumptionOptions {
  readonly live: Live;
  readonly driver: QueueDriver;
  /** As the backend in use wants it. */
  readonly consuming: (config: Config) => Consuming;
  readonly gates: EndpointGates;
  readonly stored: StoredApps;
  readonly attempt: (delivery: Delivery, cut: Cut) => Promise<Outcome>;
  readonly record: RecordAttempt;
  /** Told of each dead letter before it is written. */
  readonly onDead?: (death: Death) => void;
  readonly mask: (text: string) => string;
  /** Where the queues' children report what the backend does not do. */
  readonly faults: BackendFaults;
  readonly supervisor: Supervisor;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** All queues of this process at work; nothing with `queue.consume: false`. */
export interface Consumption {
  start(): void;
  /** As QueueWorker.drain, for all queues at once. */
  drain(softDeadline: AbortSignal, hardDeadline: AbortSignal): Promise<void>;
  /** What waits in this process, by endpoint; one entry for each queue where something does. */
  waiting(): WaitingHere[];
}

/**
 * One worker per queue; those of a polling group (`queue.groups`) share its slots.
 *
 * Slots beyond the shared ones, which let an endpoint with nothing in flight start (schedule/slots.ts), are what
 * webhooks.max_in_flight leaves over all queues and groups.
 */
export function createConsumption(options: ConsumptionOptions): Consumption {
  const { live } = options;
  const { config } = live;
  const { queues, groups, consume } = config.queue;
  const grouped = new Set(groups.flatMap((group) => group.queues.map(({ name }) => name)));
  const single = queues.filter(({ name }) => !grouped.has(name));
  const perQueue = (now: Config): number => options.consuming(now).concurrency;
  /** What webhooks.max_in_flight leaves; queue.groups stays as it is while the process runs. */
  const beyondOf = (now: Config): number =>
    now.webhooks.max_in_flight -
    single.length * perQueue(now) -
    groups.reduce((sum, { concurrency }) => sum + concurrency, 0);
  const beyond = createBeyondSlots(beyondOf(config));

  const create = (
    queue: QueueConfig,
    own: Pick<Parameters<typeof createQueueWorker>[0], "slots" | "weight" | "emptyPauseMs">,
  ): QueueWorker => {
    const contextOf = createPlanContexts(queue.name, {
      expandsAlways: options.driver.capabilities.ordersGroups,
      mask: options.mask,
      apiRevision: options.stored.revision,
    });
    const worker = createQueueWorker({
      ...options,
      ...own,
      queue: queue.name,
      health: options.faults.of(queue.name),
      leaseMs: () => options.consuming(live.config).leaseMs,
      waitMs: options.consuming(config).waitMs,
      turnMs: Math.min(15_000, config.supervisor.stall_ms / 3),
      plan: contextOf(live),
      gateOf: ({ endpoint }) => options.gates.of(endpoint),
    });
    live.onReplace((change) => worker.follow(contextOf(change.next), change));
    return worker;
  };
  const createGroup = (group: GroupConfig): QueueWorker[] => {
    const slots = createSlots({ total: group.concurrency, strategy: group.strategy, beyond });
    return group.queues.flatMap(({ name, weight }) => {
      const queue = queues.find((candidate) => candidate.name === name);
      if (queue === undefined) return [];
      return [create(queue, { slots, weight, emptyPauseMs: group.empty_pause_ms })];
    });
  };

  const createSingle = (queue: QueueConfig): QueueWorker => {
    const slots = createSlots({ total: perQueue(config), strategy: "weighted", beyond });
    const worker = create(queue, { slots, weight: 1, emptyPauseMs: 0 });
    live.onReplace(({ next }) => {
      if (slots.total === perQueue(next.config)) return;
      slots.resize(perQueue(next.config));
      worker.resize();
    });
    return worker;
  };
  const workers = consume ? [...single.map(createSingle), ...groups.flatMap(createGroup)] : [];
  live.onReplace(({ next }) => beyond.resize(beyondOf(next.config)));
  return {
    start() {
      for (const worker of workers) worker.start();
    },
    async drain(softDeadline, hardDeadline) {
      await Promise.all(workers.map((worker) => worker.drain(softDeadline, hardDeadline)));
    },
    waiting: () => workers.flatMap(({ scheduler }) => waitingIn(scheduler.lanes)),
  };
}
