import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import { configSchema, type Config, type ConfigInput } from "../../src/config/schema.ts";
import { createMask } from "../../src/secrets/mask.ts";
import type { Cut } from "../../src/delivery/cut.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { restartPolicy } from "../../src/worker/restart-policy.ts";
import type { Directory } from "../../src/delivery/endpoint.ts";
import { createLive, findByLabel, type Live, type LiveChange } from "../../src/delivery/live.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { createTransports } from "../../src/delivery/transports.ts";
import { createLogger } from "../../src/log.ts";
import { createMetrics, type Metrics } from "../../src/metrics.ts";
import type { DeadLetter, NewJob, QueueDriver, QueueStats } from "../../src/queue/driver.ts";
import { consumingOf, createDriver } from "../../src/queue/create-driver.ts";
import { retryBounds } from "../../src/queue/retry-bounds.ts";
import { deadlineIn } from "../../src/supervisor/shutdown.ts";
import { createSupervisor, type Supervisor } from "../../src/supervisor/supervisor.ts";
import { createAttempter } from "../../src/worker/attempt.ts";
import { createBackendFaults, type BackendFaults } from "../../src/worker/backend-health.ts";
import { noStoredApps } from "../../src/worker/stored-apps.ts";
import { createConsumption, type Consumption } from "../../src/worker/consumption.ts";
import type { Delivery } from "../../src/worker/delivery.ts";
import { createEndpointGates, type EndpointGates } from "../../src/endpoints/registry.ts";
import { until } from "./until.ts";

export type Attempt = (delivery: Delivery, cut: Cut) => Promise<Outcome>;
type Webhook = NonNullable<NonNullable<ConfigInput["apps"]>[number]["webhooks"]>[number];

export interface WorkerSetup {
  /** Over short backoffs without jitter; everything else is as by default. */
  readonly config?: ConfigInput;
  /**
   * Webhooks of the app `shop`. Where left out, `event_types` is `channel_occupied`, and the breaker never
   * opens: most tests here fail attempts on purpose.
   */
  readonly webhooks?: readonly (Partial<Webhook> & { readonly url: string })[];
  /** Wraps the memory driver: the worker sees what this returns. */
  readonly driver?: (memory: QueueDriver) => QueueDriver;
  /** Wraps the real attempt. */
  readonly attempt?: (real: Attempt) => Attempt;
  /** False: consumes nothing until `consumption.start()`. */
  readonly start?: boolean;
}

/** The consumption of a configuration on the memory driver, without the admin API, and what stands behind it. */
export interface WorkerBench extends AsyncDisposable {
  readonly config: Config;
  /** The first one. */
  readonly directory: Directory;
  readonly live: Live;
  readonly gates: EndpointGates;
  readonly metrics: Metrics;
  readonly supervisor: Supervisor;
  readonly consumption: Consumption;
  readonly faults: BackendFaults;
  /** The memory driver itself, without the wrapping. */
  readonly memory: QueueDriver;
  /** Log lines so far. */
  readonly logged: readonly string[];
  /** Puts another configuration in force, as a reload does. */
  replace(setup: Pick<WorkerSetup, "config" | "webhooks">): LiveChange;
  /** Puts jobs on a queue (`webhooks`); throws when one is refused. */
  put(jobs: readonly NewJob[], queue?: string): Promise<void>;
  stats(queue?: string): Promise<QueueStats>;
  dead(queue?: string): Promise<readonly DeadLetter[]>;
  /** Leases ended by this verb so far. */
  settled(verb: string, queue?: string): number;
  /** Resolves when nothing is ready, delayed, leased or parked. */
  untilEmpty(timeoutMs?: number, queue?: string): Promise<void>;
  /** Drains as at shutdown: attempts may take `softMs`, the giving back until `hardMs`. */
  drain(softMs: number, hardMs?: number): Promise<void>;
}

/** The app of these tests. */
export const app = { id: "shop", key: "shop-key", secret: "shop-secret-of-the-tests" } as const;

const neverOpens = { min_attempts: 1_000_000_000 };
const baseRetry = { initial_backoff_ms: 10, max_backoff_ms: 100, jitter: 0 };

/** The configuration that a setup means. */
function configOf(setup: Pick<WorkerSetup, "config" | "webhooks">): Config {
  const webhooks = (setup.webhooks ?? []).map((webhook) => ({
    event_types: ["channel_occupied"],
    breaker: neverOpens,
    ...webhook,
  }));
  const given = setup.config ?? {};
  return v.parse(configSchema, {
    apps: [{ ...app, webhooks }],
    ...given,
    webhooks: { ...given.webhooks, retry: { ...baseRetry, ...given.webhooks?.retry } },
  });
}

/** Starts the worker of a configuration; `await using` stops it whatever happens in the test. */
export async function startWorker(setup: WorkerSetup = {}): Promise<WorkerBench> {
  const config = configOf(setup);
  const clock = systemClock;
  const logged: string[] = [];
  const mask = createMask(config, { isName: () => false, isShown: () => false }).mask;
  const log = createLogger({
    ...config.log,
    write: (line) => void logged.push(line),
    mask,
    now: () => clock.now(),
  });
  const metrics = createMetrics();
  const directory = createDirectory(config);
  const memory = await createDriver(config, {
    clock,
    log,
    events: {
      evicted: (queue, count) => metrics.evicted.labels({ queue }).inc(count),
      trimmed: (queue, count) => metrics.trimmed.labels({ queue }).inc(count),
      reclaimed: (queue, count) => metrics.reclaimed.labels({ queue }).inc(count),
    },
    retries: retryBounds(directory.retries),
  });
  const driver = setup.driver?.(memory) ?? memory;
  const supervisor = createSupervisor({
    ...restartPolicy(config),
    clock,
    log,
    onRestart: (child) => metrics.restarts.labels({ child }).inc(),
  });
  const live = createLive({ config, directory: createDirectory(config) });
  const gates = createEndpointGates({ live, clock, log });
  const transports = createTransports({ config, mask });
  const attempter = createAttempter({
    transportOf: ({ endpoint }) => transports.of(endpoint),
    clock,
    metrics,
    log,
    isInForce: (label) => findByLabel(live.directory, label) !== null,
  });
  live.onReplace(({ removed }) => {
    for (const { label } of removed) attempter.forget(label);
  });
  const real: Attempt = (delivery, cut) => attempter.attempt(delivery, cut);
  const faults = createBackendFaults(log, clock);
  const consumption = createConsumption({
    faults,
    live,
    driver,
    consuming: consumingOf,
    gates,
    stored: noStoredApps,
    attempt: setup.attempt?.(real) ?? real,
    record: () => undefined,
    mask,
    supervisor,
    clock,
    metrics,
    log,
  });
  if (setup.start !== false) consumption.start();

  let drained: Promise<void> | null = null;
  const drain = async (softMs: number, hardMs: number): Promise<void> => {
    const soft = deadlineIn(softMs, new AbortController().signal);
    const hard = deadlineIn(hardMs, new AbortController().signal);
    await consumption.drain(soft.signal, hard.signal);
    soft.clear();
    hard.clear();
    await supervisor.stop(() => true, 250);
  };

  return {
    config,
    directory: live.directory,
    live,
    gates,
    metrics,
    supervisor,
    consumption,
    faults,
    memory,
    logged,
    replace(next) {
      const parsed = configOf(next);
      return live.replace({ config: parsed, directory: createDirectory(parsed, live.directory) });
    },
    async put(jobs, queue = "webhooks") {
      const results = await memory.enqueue(queue, jobs);
      const refused = results.find(({ status }) => status !== "enqueued");
      if (refused !== undefined) throw new Error(`enqueue answered ${JSON.stringify(refused)}`);
    },
    stats: (queue = "webhooks") => memory.stats(queue),
    async dead(queue = "webhooks") {
      const letters: DeadLetter[] = [];
      let cursor: string | null = null;
      do {
        const page = await memory.deadLetters(queue, { limit: 1000, cursor });
        letters.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== null);
      return letters;
    },
    settled: (disposition, queue = "webhooks") => metrics.settled.labels({ queue, disposition }).value,
    async untilEmpty(timeoutMs = 90_000, queue = "webhooks") {
      const isEmpty = async (): Promise<boolean> => {
        const { ready, delayed, leased, parked } = await memory.stats(queue);
        return (ready ?? 0) + (delayed ?? 0) + (leased ?? 0) + (parked ?? 0) === 0;
      };
      await until(isEmpty, { timeoutMs, everyMs: 10, what: "an empty queue" });
    },
    drain: (softMs, hardMs = softMs + 2_000) => (drained ??= drain(softMs, hardMs)),
    async [Symbol.asyncDispose]() {
      await (drained ??= drain(0, 1_000));
      gates.close();
      await transports.close();
      await memory.close();
    },
  };
}

/** A job for the app `shop`, as hookline's own envelope, with one event on the channel `room-<id>`. */
export function newJob(
  id: string,
  options: { event?: string; appId?: string; delayMs?: number } = {},
): NewJob {
  const { event = "channel_occupied", appId = app.id, delayMs = 0 } = options;
  const payload = JSON.stringify({ time_ms: 1, events: [{ name: event, channel: `room-${id}` }] });
  return jobOf(
    id,
    `{"hookline":1,"id":"${id}","kind":"pusher","app_id":"${appId}","payload":${payload}}`,
    delayMs,
  );
}

/** A job whose stored body is exactly this. */
export function jobOf(id: string, body: NewJob["body"], delayMs = 0): NewJob {
  return { id, body, delayMs, group: null, deduplicationId: null, routing: null, dedup: null };
}

/** Jobs `<prefix>-0` to `<prefix>-<count - 1>`. */
export function newJobs(count: number, prefix = "job", options: Parameters<typeof newJob>[1] = {}): NewJob[] {
  return Array.from({ length: count }, (_, index) => newJob(`${prefix}-${index}`, options));
}

/** The job's id in a request that delivers one of `newJob`. */
export function jobIdOf(request: { readonly text: string }): string {
  return /"channel":"room-([^"]+)"/.exec(request.text)?.[1] ?? "";
}
