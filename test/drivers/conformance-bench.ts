import { expect } from "bun:test";
import { until } from "../support/until.ts";
import type { BackendFaults } from "./fault.ts";
import type { JobBody } from "../../src/jobs/job.ts";
import type {
  DeadLetter,
  DriverCapabilities,
  DriverEvents,
  EnqueueResult,
  Lease,
  LeaseOptions,
  NewJob,
  QueueDriver,
  Settlement,
  Disposition,
} from "../../src/queue/driver.ts";

/** What a claim asks of the backend it is about to be tried on. */
export interface CreateOptions {
  /** Queues the driver is configured with; their contents must start empty. */
  readonly queues: readonly string[];
  readonly deadLetterRetention: number;
  /** Absent = for ever. */
  readonly deadLetterRetentionMs?: number;
  readonly deduplicationTtlMs: number;
  readonly events: DriverEvents;
}

/** A fresh driver, not yet opened, on an isolated part of its backend (own prefix, own queues). */
export interface DriverUnderTest {
  readonly driver: QueueDriver;
  /** Another driver, as another process would hold it, on the same jobs; not yet opened. Absent: impossible. */
  readonly peer?: () => Promise<QueueDriver>;
  /** Puts one message as a foreign producer does (RPUSH, SendMessage). Absent: there are none. */
  readonly produce?: (queue: string, body: JobBody) => Promise<void>;
  /** Ways in which the backend's commands fail, see fault.ts. Absent: it cannot fail; name `faults` in skips. */
  readonly faults?: BackendFaults;
  /** Removes what the test left in the backend. Drivers are closed before. */
  readonly dispose?: () => Promise<void>;
}

/** How long things take on this backend, so that expiry tests are as short as it allows. */
export interface Timing {
  /** A lease that tests let run out. */
  readonly leaseMs: number;
  /** A delay that tests wait for. */
  readonly delayMs: number;
  /** How long a test waits for what must happen before it fails. */
  readonly deadlineMs: number;
}

/** A driver as its own test file presents it to the suite. */
export interface DriverSubject {
  create(options: CreateOptions): Promise<DriverUnderTest>;
  /** What the driver must say of itself. */
  readonly capabilities: DriverCapabilities;
  readonly timing?: Partial<Timing>;
  /** Jobs that load claims move; lower it for a slow backend. */
  readonly loadJobs?: number;
  /** Claim name, or a need (`peer`, `produce`, `faults`, a capability that is false or 0) → why it does not hold here. */
  readonly skips?: Readonly<Record<string, string>>;
}

/** A capability, or a hook of DriverUnderTest, without which a claim says nothing. */
export type Need =
  | keyof DriverCapabilities
  | "peer"
  | "deadCounts"
  | "deadLetterAge"
  | "jobs"
  | "findDead"
  | "produce"
  | "faults"
  | "clusterPause"
  | "smallPayload"
  | "noGroups"
  | "boundedDelay";

/** One sentence that every driver must make true. */
export interface Claim {
  readonly name: string;
  readonly needs?: readonly Need[];
  readonly create?: Partial<CreateOptions>;
  readonly run: (bench: Bench) => Promise<void>;
}

/** Lease options a claim may leave out: max 10, a lease that outlasts the test, no waiting. */
export type LeaseWish = Partial<LeaseOptions>;

/** All that a claim holds in its hands. */
export interface Bench {
  readonly driver: QueueDriver;
  readonly queue: string;
  readonly otherQueue: string;
  readonly timing: Timing;
  readonly loadJobs: number;
  readonly events: { evicted: number; trimmed: number; reclaimed: number };
  /** Opens another driver on the same jobs. */
  readonly peer: () => Promise<QueueDriver>;
  readonly produce: (body: JobBody) => Promise<void>;
  /** Ways in which the backend's commands fail. */
  readonly faults: () => BackendFaults;
  /** Enqueues and expects every job to be accepted; returns the ids. */
  readonly put: (...jobs: readonly (NewJob | JobBody)[]) => Promise<string[]>;
  readonly lease: (wish?: LeaseWish, driver?: QueueDriver) => Promise<Lease[]>;
  /** Leases until `count` jobs are held: a backend may give fewer at a time than it has. */
  readonly collect: (count: number, wish?: LeaseWish, driver?: QueueDriver) => Promise<Lease[]>;
  /** Leases exactly one job. */
  readonly take: (wish?: LeaseWish, driver?: QueueDriver) => Promise<Lease>;
  /** Settles and expects every settlement to have taken effect. */
  readonly settle: (disposition: Disposition, ...leases: readonly Lease[]) => Promise<void>;
  /** Settles one lease and returns the status. */
  readonly trySettle: (disposition: Disposition, lease: Lease, driver?: QueueDriver) => Promise<string>;
  /** Every dead letter, through as many pages as it takes. */
  readonly dead: (limit?: number) => Promise<DeadLetter[]>;
  readonly until: <T>(what: string, condition: () => T | Promise<T>) => Promise<NonNullable<T>>;
}

const longLeaseMs = 60_000;
let counter = 0;

/** A job with a fresh id and a group of its own. */
export function job(body: JobBody = "{}", overrides: Partial<NewJob> = {}): NewJob {
  counter += 1;
  const id = `job-${counter}`;
  return {
    id,
    body,
    delayMs: 0,
    group: null,
    deduplicationId: null,
    routing: { appId: "app-1", channel: `channel-${counter}`, event: "channel_occupied" },
    dedup: null,
    ...overrides,
  };
}

/** `dead` as the worker settles it, for claims that only need a dead letter. */
export function deadly(
  reason = "http_410",
  overrides: { attempted?: boolean; body?: JobBody; id?: string } = {},
) {
  return {
    verb: "dead",
    reason,
    detail: null,
    endpoint: "app-1/one",
    attempted: true,
    ...overrides,
  } satisfies Disposition;
}

/** The bodies of leased jobs as texts, sorted. */
export function sortedBodies(leases: readonly Lease[]): string[] {
  return leases.map(({ job }) => String(job.body)).sort();
}

/** The ids of leases or enqueue results, sorted: for backends that promise no order. */
export function sortedIds(items: readonly (Lease | EnqueueResult | DeadLetter)[]): string[] {
  return items.map((item) => ("job" in item ? item.job.id : item.id)).sort();
}

/** Sets a driver up, runs `use` and takes everything down again, also when it fails. */
export async function withBench(
  subject: DriverSubject,
  create: Partial<CreateOptions>,
  use: (bench: Bench) => Promise<void>,
): Promise<void> {
  const events = { evicted: 0, trimmed: 0, reclaimed: 0 };
  const queue = "webhooks";
  const otherQueue = "other";
  const under = await subject.create({
    queues: [queue, otherQueue],
    deadLetterRetention: 10_000,
    deduplicationTtlMs: 300_000,
    events: {
      evicted: (_, count) => void (events.evicted += count),
      trimmed: (_, count) => void (events.trimmed += count),
      reclaimed: (_, count) => void (events.reclaimed += count),
    },
    ...create,
  });
  const timing: Timing = { leaseMs: 300, delayMs: 200, deadlineMs: 10_000, ...subject.timing };
  const open = new AbortController();
  const opened: QueueDriver[] = [];
  const { driver } = under;
  const waiting = new AbortController();

  const bench: Bench = {
    driver,
    queue,
    otherQueue,
    timing,
    loadJobs: subject.loadJobs ?? 3_000,
    events,
    async peer() {
      if (under.peer === undefined) throw new Error("this driver has no peers: name `peer` in skips");
      const peer = await under.peer();
      opened.push(peer);
      await peer.open(open.signal);
      return peer;
    },
    async produce(body) {
      if (under.produce === undefined) throw new Error("nobody else produces: name `produce` in skips");
      await under.produce(queue, body);
    },
    faults() {
      if (under.faults === undefined) throw new Error("this backend cannot fail: name `faults` in skips");
      return under.faults;
    },
    async put(...jobs) {
      const written = jobs.map((item) =>
        typeof item === "string" || item instanceof Uint8Array ? job(item) : item,
      );
      const results = await driver.enqueue(queue, written);
      expect(results).toEqual(written.map(({ id }) => ({ status: "enqueued", id })));
      return written.map(({ id }) => id);
    },
    lease: (wish = {}, from = driver) =>
      from.lease(queue, {
        max: 10,
        leaseMs: longLeaseMs,
        waitMs: 0,
        closedKeys: new Set(),
        parkedMax: 1_000,
        signal: waiting.signal,
        ...wish,
      }),
    async collect(count, wish = {}, from = driver) {
      const held: Lease[] = [];
      await until(
        async () => {
          const max = Math.min(wish.max ?? 10, count - held.length);
          if (max > 0) held.push(...(await bench.lease({ waitMs: 200, ...wish, max }, from)));
          return held.length >= count;
        },
        { timeoutMs: timing.deadlineMs, what: `${count} leased jobs` },
      );
      return held;
    },
    async take(wish = {}, from = driver) {
      const [lease] = await bench.collect(1, wish, from);
      if (lease === undefined) throw new Error("collect promised one lease");
      return lease;
    },
    async settle(disposition, ...leases) {
      const settlements: Settlement[] = leases.map((lease) => ({ ...disposition, lease }));
      expect(await driver.settle(settlements)).toEqual(leases.map(() => ({ status: "settled" })));
    },
    async trySettle(disposition, lease, by = driver) {
      const [result] = await by.settle([{ ...disposition, lease }]);
      return result?.status ?? "nothing";
    },
    async dead(limit = 100) {
      const letters: DeadLetter[] = [];
      let cursor: string | null = null;
      do {
        const page = await driver.deadLetters(queue, { limit, cursor });
        letters.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== null);
      return letters;
    },
    until: (what, condition) => until(condition, { timeoutMs: timing.deadlineMs, what }),
  };

  opened.push(driver);
  try {
    await driver.open(open.signal);
    await use(bench);
  } finally {
    waiting.abort();
    open.abort();
    for (const one of opened) await one.close();
    await under.dispose?.();
  }
}
