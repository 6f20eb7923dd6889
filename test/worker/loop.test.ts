import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJob, newJobs, startWorker, type WorkerBench } from "../support/worker.ts";
import { until } from "../support/until.ts";

const quick = { supervisor: { restart_delay_ms: 1, max_restart_delay_ms: 5, max_restarts: 1000 } };
const restartsOf = (bench: WorkerBench): number =>
  bench.supervisor
    .children()
    .reduce((sum, { id, restarts }) => sum + (id.includes("/loop-") ? restarts : 0), 0);

describe("a loop that ends with a job in hand", () => {
  test("is restarted and its job tried again, one attempt charged", async () => {
    await using receiver = await startReceiver();
    const attempts: number[] = [];
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: quick,
      attempt: (real) => (delivery, cut) => {
        attempts.push(delivery.attempt);
        if (attempts.length <= 2) throw new TypeError("a bug in a transport");
        return real(delivery, cut);
      },
    });
    await bench.put([newJob("job")]);
    await bench.untilEmpty();
    expect(attempts).toEqual([1, 2, 3]);
    expect(receiver.count).toBe(1);
    expect(restartsOf(bench)).toBe(2);
  });

  test("kills no job's neighbours, and the job that always does it ends dead", async () => {
    await using receiver = await startReceiver();
    await using bench = await startWorker({
      webhooks: [{ name: "hook", url: receiver.url, retry: { max_attempts: 4 } }],
      config: quick,
      attempt: (real) => (delivery, cut) => {
        if (delivery.jobId === "poison") throw new TypeError("a bug that this job meets");
        return real(delivery, cut);
      },
    });
    await bench.put([newJob("poison"), ...newJobs(200)]);
    await bench.untilEmpty();
    expect(receiver.requests.map(jobIdOf).sort()).toEqual(
      newJobs(200)
        .map(({ id }) => id)
        .sort(),
    );
    expect(await bench.dead()).toMatchObject([
      {
        jobId: "poison",
        detail: "its worker loop ended during the last attempt",
        reason: "attempts_exhausted",
        attempts: 4,
        endpoint: "shop/hook",
      },
    ]);
  });

  test("also when it is what comes after the attempt that throws", async () => {
    await using receiver = await startReceiver();
    let calls = 0;
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: quick,
      attempt: (real) => async (delivery, cut) => {
        const call = (calls += 1);
        const outcome = await real(delivery, cut);
        return call === 1 ? (undefined as unknown as Outcome) : outcome;
      },
    });
    await bench.put(newJobs(10));
    await bench.untilEmpty();
    expect(bench.settled("ack")).toBe(10);
    expect(bench.settled("retry")).toBe(1);
    expect(restartsOf(bench)).toBe(1);
  });

  test("a stalled attempt is cut off and replaced; what it answers later settles nothing", async () => {
    await using receiver = await startReceiver();
    const late = Promise.withResolvers<Outcome>();
    const signals: AbortSignal[] = [];
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url, request_timeout_ms: 100 }],
      config: { supervisor: { ...quick.supervisor, stall_ms: 2_000 } },
      attempt: (real) => (delivery, cut) => {
        signals.push(cut.signal);
        return signals.length === 1 ? late.promise : real(delivery, cut);
      },
    });
    await bench.put([newJob("job")]);
    await bench.untilEmpty();
    expect(signals[0]?.aborted).toBe(true);
    late.resolve({ kind: "delivered", status: 200, durationMs: 1 });
    await bench.put(newJobs(20, "after"));
    await bench.untilEmpty();
    expect(receiver.count).toBe(21);
    expect(bench.settled("ack")).toBe(21);
    expect(bench.settled("retry")).toBe(1);
  });

  test("a slow attempt within its deadline is no stall", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 1_500 }) });
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url, request_timeout_ms: 5_000 }],
      config: { supervisor: { stall_ms: 400 } },
    });
    await bench.put(newJobs(5));
    await bench.untilEmpty();
    expect(receiver.count).toBe(5);
    expect(bench.supervisor.children().every(({ restarts }) => restarts === 0)).toBe(true);
  });
});

describe("rehearsed", () => {
  test("crashing every child three times under load loses nothing and sends nothing twice", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 2 }) });
    await using bench = await startWorker({ webhooks: [{ url: receiver.url }], config: quick });
    const total = 2_000;
    await bench.put(newJobs(total));
    for (let round = 1; round <= 3; round += 1) {
      await receiver.waitForCount((total / 5) * round);
      for (const { id } of bench.supervisor.children()) bench.supervisor.crash(id);
      await until(() => bench.supervisor.children().every(({ restarts }) => restarts >= round), {
        what: `restart ${round} of every child`,
      });
    }
    await bench.untilEmpty();
    expect(bench.settled("ack")).toBe(total);
    expect(new Set(receiver.requests.map(jobIdOf)).size).toBe(total);
    expect(receiver.count).toBe(total);
  });

  test("stalling every child is over within stall_ms and loses nothing", async () => {
    await using receiver = await startReceiver();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      config: { supervisor: { ...quick.supervisor, stall_ms: 300 } },
    });
    for (const { id } of bench.supervisor.children()) bench.supervisor.stall(id);
    await bench.put(newJobs(100));
    await until(() => bench.supervisor.children().every(({ restarts }) => restarts === 1), {
      what: "a restart of every child",
    });
    await bench.untilEmpty();
    expect(receiver.count).toBe(100);
  });

  test("idle children are not taken for stalled ones", async () => {
    await using bench = await startWorker({ config: { supervisor: { stall_ms: 300 } } });
    const startedAt = performance.now();
    await until(() => performance.now() - startedAt > 1_800, { what: "six times stall_ms" });
    expect(bench.supervisor.children().map(({ restarts }) => restarts)).toEqual(
      bench.supervisor.children().map(() => 0),
    );
  });
});

test("what shutdown cuts off is released: ready at once, no attempt charged", async () => {
  await using receiver = await startReceiver({ behaviour: hang() });
  await using bench = await startWorker({ webhooks: [{ url: receiver.url }] });
  await bench.put(newJobs(12));
  await receiver.waitForCount(5);
  await bench.drain(50);
  expect(await bench.stats()).toMatchObject({ ready: 12, delayed: 0, leased: 0, parked: 0, dead: 0 });
  const leases = await bench.memory.lease("webhooks", {
    max: 100,
    leaseMs: 1_000,
    waitMs: 0,
    closedKeys: new Set(),
    parkedMax: 100,
    signal: new AbortController().signal,
  });
  expect(leases.map(({ job }) => job.attempts)).toEqual(leases.map(() => 0));
  expect(leases).toHaveLength(12);
});
