import { describe, expect, test } from "bun:test";
import { createHookline } from "../../src/app.ts";
import { sleep } from "../../src/wait.ts";
import type { ConfigInput } from "../../src/config/schema.ts";
import { load } from "../config/support.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { app, jobIdOf, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

describe("draining", () => {
  test("what is in flight finishes, the rest is released", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 150 }) });
    await using bench = await startWorker({ webhooks: [{ url: receiver.url }] });
    await bench.put(newJobs(30));
    await receiver.waitForCount(5);
    await bench.drain(5_000);
    const { ready, leased } = await bench.stats();
    expect(leased).toBe(0);
    expect(bench.settled("ack")).toBe(receiver.count);
    expect((ready ?? 0) + receiver.count).toBe(30);
    expect(ready).toBeGreaterThanOrEqual(20);
  });

  test("ends at once when nothing is in flight", async () => {
    await using bench = await startWorker({});
    const startedAt = performance.now();
    await bench.drain(60_000);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  test("nothing is leased any more, however much comes", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 100 }) });
    await using bench = await startWorker({ webhooks: [{ url: receiver.url }] });
    await bench.put(newJobs(5));
    await receiver.waitForCount(5);
    const drained = bench.drain(5_000);
    await bench.put(newJobs(20, "late"));
    await drained;
    expect(receiver.requests.map(jobIdOf).filter((id) => id.startsWith("late"))).toEqual([]);
    expect((await bench.stats()).ready).toBe(20);
  });

  test("what a lease call brings that was under way is given back", async () => {
    await using receiver = await startReceiver();
    const late = Promise.withResolvers<void>();
    let isLeasing = false;
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      start: false,
      driver: (memory) => ({
        ...memory,
        async lease(queue, options) {
          const leases = await memory.lease(queue, { ...options, signal: new AbortController().signal });
          isLeasing = true;
          await late.promise;
          return leases;
        },
      }),
    });
    await bench.put(newJobs(5));
    bench.consumption.start();
    await until(() => isLeasing, { what: "a lease call under way" });
    const drained = bench.drain(1_000);
    late.resolve();
    await drained;
    expect(await bench.stats()).toMatchObject({ ready: 5, leased: 0, parked: 0 });
    expect(receiver.count).toBe(0);
  });

  test("waits until a slow backend has confirmed every settlement", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 20 }) });
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: (memory) => ({
        ...memory,
        async settle(settlements) {
          await sleep(400);
          return memory.settle(settlements);
        },
      }),
    });
    await bench.put(newJobs(40));
    await receiver.waitForCount(10);
    await bench.drain(5_000);
    expect(bench.settled("ack")).toBe(receiver.count);
    expect(await bench.stats()).toMatchObject({ ready: 40 - receiver.count, leased: 0 });
  });

  test("a loop that crashes while it drains gives its job back uncharged", async () => {
    const crash = Promise.withResolvers<never>();
    let isTrying = false;
    await using bench = await startWorker({
      webhooks: [{ url: "http://127.0.0.1:1/" }],
      attempt: () => () => {
        isTrying = true;
        return crash.promise;
      },
    });
    await bench.put(newJobs(1));
    await until(() => isTrying, { what: "the attempt" });
    const drained = bench.drain(5_000);
    crash.reject(new TypeError("a bug in a transport"));
    await drained;
    expect(await bench.stats()).toMatchObject({ ready: 1, delayed: 0, leased: 0 });
  });

  test("a receiver that hangs is cut off at the soft deadline and its jobs are ready", async () => {
    await using receiver = await startReceiver({ behaviour: hang("body") });
    await using bench = await startWorker({ webhooks: [{ url: receiver.url }] });
    await bench.put(newJobs(8));
    await receiver.waitForCount(5);
    const startedAt = performance.now();
    await bench.drain(200, 5_000);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(await bench.stats()).toMatchObject({ ready: 8, leased: 0, delayed: 0 });
  });

  test("an attempt that does not even react to its signal cannot hold it past the hard deadline", async () => {
    await using receiver = await startReceiver();
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      attempt: (real) => (delivery, cut) =>
        delivery.jobId === "job-0" ? new Promise(() => undefined) : real(delivery, cut),
    });
    await bench.put(newJobs(4));
    await receiver.waitForCount(3);
    const startedAt = performance.now();
    await bench.drain(100, 300);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    // Its lease ends by itself: nobody may take the job before it is sure that this process is done with it.
    expect(await bench.stats()).toMatchObject({ ready: 0, leased: 1 });
    expect(bench.settled("ack")).toBe(3);
  });

  test("a driver that never answers cannot hold it past the hard deadline", async () => {
    await using receiver = await startReceiver();
    const never = new Promise<never>(() => undefined);
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url }],
      driver: (memory) => ({ ...memory, settle: () => never }),
    });
    await bench.put(newJobs(4));
    await receiver.waitForCount(4);
    const startedAt = performance.now();
    await bench.drain(100, 400);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe("the report", () => {
  const event_types = ["channel_occupied"];
  const breaker = { min_attempts: 1_000_000 };
  const start = async (url: string, config: ConfigInput = {}) => {
    const loaded = await load({
      server: { port: 0 },
      apps: [
        {
          ...app,
          webhooks: [
            { name: "one", url: `${url}/one`, event_types, breaker },
            { name: "two", url: `${url}/two`, event_types, breaker, retry: { max_attempts: 2 } },
          ],
        },
      ],
      webhooks: { retry: { initial_backoff_ms: 10, max_backoff_ms: 50 } },
      ...config,
    });
    const lines: string[] = [];
    const hookline = await createHookline({ loaded, write: (line) => void lines.push(line) });
    const { url: base } = await hookline.start();
    const enqueue = async (jobs: readonly object[]): Promise<void> => {
      const response = await fetch(`${base}/v1/queues/webhooks/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(jobs),
      });
      expect(response.status).toBe(202);
      await response.text();
    };
    return { hookline, base, lines, enqueue };
  };
  const jobs = (count: number, prefix: string): object[] =>
    Array.from({ length: count }, (_, index) => ({
      id: `${prefix}-${index}`,
      app_id: app.id,
      payload: {
        time_ms: 1,
        events: [
          { name: index % 7 === 0 ? "cache_miss" : "channel_occupied", channel: `room-${prefix}-${index}` },
        ],
      },
    }));

  test("adds up while a load of everything is cut off in the middle", async () => {
    await using receiver = await startReceiver({
      behaviour: (request, n) => {
        if (request.path === "/two" && n % 10 === 0) return answer(410);
        return n % 4 === 0 ? answer(500) : answer(200, { delayMs: n % 3 });
      },
    });
    const { hookline, lines, enqueue } = await start(receiver.url, {
      queue: { memory: { concurrency: 16, capacity: 1_500 }, reliability: { failed_retention: 20 } },
    });
    for (let batch = 0; batch < 8; batch += 1) await enqueue(jobs(500, `batch${batch}`));
    await receiver.waitForCount(1_500);
    const report = await hookline.stop();
    expect(report.enqueued).toBe(4_000);
    const {
      enqueued,
      expanded,
      delivered,
      filtered_out,
      dead,
      dead_removed,
      dead_trimmed,
      evicted,
      left_behind,
    } = report;
    expect(enqueued + expanded).toBe(
      delivered + filtered_out + (dead ?? 0) + dead_removed + dead_trimmed + evicted + (left_behind ?? 0),
    );
    for (const count of [expanded, delivered, filtered_out, dead, dead_trimmed, evicted, left_behind]) {
      expect(count).toBeGreaterThan(0);
    }
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ msg: "stopped", ...report });
  });

  test("a stop during a hanging load ends inside its deadline, and nothing is lost", async () => {
    await using receiver = await startReceiver({ behaviour: hang() });
    const { hookline, enqueue } = await start(receiver.url, {
      queue: { memory: { concurrency: 8 }, reliability: { shutdown_timeout_ms: 1_000 } },
    });
    await enqueue(jobs(100, "job"));
    await receiver.waitForCount(8);
    const startedAt = performance.now();
    const report = await hookline.stop();
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(report).toMatchObject({ enqueued: 100, delivered: 0, dead: 0, evicted: 0 });
    expect(report.left_behind).toBe(100 + report.expanded - report.filtered_out);
  });

  test("a second signal cuts the wait short", async () => {
    await using receiver = await startReceiver({ behaviour: hang() });
    const { hookline, enqueue } = await start(receiver.url, {
      queue: { reliability: { shutdown_timeout_ms: 60_000 } },
    });
    await enqueue(jobs(10, "job"));
    await receiver.waitForCount(4);
    const first = hookline.stop();
    const startedAt = performance.now();
    const second = hookline.stop({ now: true });
    expect(await first).toEqual(await second);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  test("a stop right after the start, and a stop before it, end", async () => {
    await using receiver = await startReceiver();
    const { hookline } = await start(receiver.url);
    expect((await hookline.stop()).enqueued).toBe(0);
    const never = await createHookline({
      loaded: await load({ server: { port: 0 } }),
      write: () => undefined,
    });
    expect((await never.stop()).enqueued).toBe(0);
  });
});
