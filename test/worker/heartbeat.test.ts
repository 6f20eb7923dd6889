import { expect, mock, spyOn, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { Lease, LeaseOptions, QueueDriver } from "../../src/queue/driver.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { createMetrics } from "../../src/metrics.ts";
import { silentLogger } from "../../src/log.ts";
import { createHeartbeat } from "../../src/worker/heartbeat.ts";
import { createHeldLeases } from "../../src/worker/held.ts";
import { newJob, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

/** A process that stands still for half of it, on a busy machine, must not lose one. */
const leaseMs = 600;
const shortLease = { queue: { reliability: { lease_duration_ms: leaseMs } } };

test("a lease is renewed while its attempt lasts several leases", async () => {
  await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: leaseMs * 4 }) });
  await using bench = await startWorker({ webhooks: [{ url: receiver.url }], config: shortLease });
  await bench.put(newJobs(3));
  await bench.untilEmpty();
  expect(receiver.count).toBe(3);
  expect(bench.settled("ack")).toBe(3);
  expect(bench.metrics.reclaimed.labels({ queue: "webhooks" }).value).toBe(0);
});

test("leases that wait for their turn are renewed too", async () => {
  await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: leaseMs }) });
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url, concurrency: 1 }],
    config: { queue: { memory: { concurrency: 1 }, ...shortLease.queue } },
  });
  await bench.put(newJobs(4));
  await bench.untilEmpty();
  expect(receiver.count).toBe(4);
  expect(bench.metrics.reclaimed.labels({ queue: "webhooks" }).value).toBe(0);
});

test("a lease of unknown fate is asked for again while it lasts, and then its attempt is cut off; the others go on", async () => {
  await using receiver = await startReceiver({ behaviour: hang() });
  const signals = new Map<string, AbortSignal>();
  const asked: string[] = [];
  const startedAt = performance.now();
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url, concurrency: 2 }],
    config: shortLease,
    driver: (memory) => ({
      ...memory,
      extend: async (leases, ms) => {
        const states = await memory.extend(leases, ms);
        return leases.map(({ job }, index) => {
          if (job.id !== "unknown") return states[index]!;
          asked.push(job.id);
          return "unknown";
        });
      },
    }),
    attempt: (real) => (delivery, cut) => {
      signals.set(delivery.jobId, cut.signal);
      return real(delivery, cut);
    },
  });
  await bench.put([newJob("unknown"), newJob("known")]);
  await until(() => signals.get("unknown")?.aborted, { what: "the attempt to be cut off" });
  // Not at the first answer: it was ours for the rest of its time.
  expect(performance.now() - startedAt).toBeGreaterThan(leaseMs * 0.9);
  expect(asked.length).toBeGreaterThan(1);
  expect(signals.get("known")?.aborted).toBe(false);
});

test("a lease is renewed when a third of it is over, looked at four times in that time", async () => {
  const lasts = 240;
  let now = 5_000;
  const extended: number[] = [];
  const waits = spyOn(globalThis, "setTimeout");
  const leases = createHeldLeases(() => undefined);
  const add = (token: string) =>
    leases.add({ queue: "q", token, job: { id: token } } as unknown as Lease, now + lasts);
  add("first");
  // Its end is on its way: whatever the backend says of it now, its settlement tells.
  add("settling").state = "settling";
  const stop = new AbortController();
  const beat = createHeartbeat({
    queue: "q",
    driver: {
      extend: async (given: readonly Lease[]) => {
        for (const { token } of given) extended.push({ first: now, second: -now }[token] ?? 0);
        return given.map(() => "extended" as const);
      },
    } as unknown as QueueDriver,
    held: leases,
    leaseMs: () => lasts,
    clock: { now: () => now, monotonic: () => now },
    metrics: createMetrics(),
    log: silentLogger,
    health: { ok: () => undefined, fault: () => undefined, forget: () => undefined },
    waitMs: 60_000,
  });
  const running = beat({
    id: "q/heartbeat",
    signal: stop.signal,
    progress: () => undefined,
    onEnd: () => undefined,
    // Every look is a twelfth of a lease after the one before, by the only clock there is.
    checkpoint() {
      now += lasts / 12;
      if (now === 5_000 + lasts / 4) add("second");
    },
  });
  await until(() => extended.length >= 4, { what: "four renewals" });
  stop.abort();
  await running;
  const delays = waits.mock.calls.map(([, ms]) => ms);
  mock.restore();
  expect(extended.slice(0, 4)).toEqual([5_080, -5_140, 5_160, -5_220]);
  // What it waits between two looks, whatever the machine makes of it.
  expect(delays).toContain(lasts / 12);
});

test("a lease that another has now cuts its attempt off and settles nothing", async () => {
  await using receiver = await startReceiver({ behaviour: hang() });
  const settled: string[] = [];
  let stolen: string | null = null;
  const signals: AbortSignal[] = [];
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url, concurrency: 1 }],
    config: shortLease,
    driver: (memory) => ({
      ...memory,
      extend: async (leases, ms) => {
        stolen ??= leases[0]?.token ?? null;
        // Its lease ends in the backend, as if this process had been away for so long.
        if (signals.length === 1) return leases.map(() => "lost");
        return memory.extend(leases, ms);
      },
      settle: (settlements) => {
        settled.push(...settlements.map(({ lease }) => lease.token));
        return memory.settle(settlements);
      },
    }),
    attempt: (real) => (delivery, cut) => {
      signals.push(cut.signal);
      return real(delivery, cut);
    },
  });
  await bench.put([newJob("stolen")]);
  await until(() => signals[0]?.aborted, { what: "the attempt to be cut off" });
  receiver.behave(answer(200));
  await bench.untilEmpty();
  expect(stolen).not.toBeNull();
  expect(settled).not.toContain(stolen as unknown as string);
  expect(bench.metrics.lost.labels({ queue: "webhooks" }).value).toBe(1);
  // Charged for the lease that ended unsettled, then delivered by the second.
  expect(receiver.count).toBe(2);
  expect(bench.metrics.reclaimed.labels({ queue: "webhooks" }).value).toBe(1);
});

test("while the backend does not answer, an attempt goes on until its lease has run out, and not longer", async () => {
  await using receiver = await startReceiver({ behaviour: hang() });
  let isAway = true;
  const cutAfterMs: number[] = [];
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    config: shortLease,
    driver: (memory) => ({
      ...memory,
      extend: async (leases, ms) => {
        if (isAway) throw new DriverUnavailableError("away");
        return memory.extend(leases, ms);
      },
    }),
    attempt: (real) => (delivery, cut) => {
      const startedAt = performance.now();
      cut.signal.addEventListener("abort", () => cutAfterMs.push(performance.now() - startedAt));
      return real(delivery, cut);
    },
  });
  await bench.put([newJob("job")]);
  await until(() => cutAfterMs.length === 2, { what: "two attempts to be cut off" });
  for (const ms of cutAfterMs) expect(ms).toBeGreaterThan(leaseMs / 3);
  expect(bench.faults.findings().map(({ detail }) => detail.split(":")[0])).toContain("extend");
  isAway = false;
  receiver.behave(answer(200));
  await bench.untilEmpty();
  expect(bench.faults.findings()).toEqual([]);
});

test("a lease that came late out of a long wait is renewed and not taken for lost", async () => {
  await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: leaseMs }) });
  const waits: LeaseOptions[] = [];
  const lateLease =
    (memory: QueueDriver): QueueDriver["lease"] =>
    (queue, options) => {
      waits.push(options);
      return memory.lease(queue, options);
    };
  await using bench = await startWorker({
    webhooks: [{ url: receiver.url }],
    config: shortLease,
    driver: (memory) => ({ ...memory, lease: lateLease(memory) }),
  });
  await until(() => waits.length === 1, { what: "the first lease call" });
  expect(waits[0]?.waitMs).toBeGreaterThan(leaseMs * 2);
  const startedAt = performance.now();
  await until(() => performance.now() - startedAt > leaseMs * 2, { what: "a wait longer than a lease" });
  expect(waits).toHaveLength(1);
  await bench.put(newJobs(3));
  await bench.untilEmpty();
  expect(receiver.count).toBe(3);
  expect(bench.metrics.lost.labels({ queue: "webhooks" }).value).toBe(0);
});
