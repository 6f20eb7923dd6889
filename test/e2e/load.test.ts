import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

/** Counts, for each job, how often the receiver answered it 2xx. */
function countAccepted(
  receiver: Receiver,
  statusOf: (job: number, attempt: number) => number,
): Map<number, number> {
  const accepted = new Map<number, number>();
  const attempts = new Map<number, number>();
  receiver.behave((request) => {
    const job = jobNumberOf(request);
    const attempt = (attempts.get(job) ?? 0) + 1;
    attempts.set(job, attempt);
    const status = statusOf(job, attempt);
    if (status === 200) accepted.set(job, (accepted.get(job) ?? 0) + 1);
    return answer(status);
  });
  return accepted;
}

async function enqueueAll(server: Executable, count: number): Promise<void> {
  for (let first = 0; first < count; first += 500) {
    const { accepted } = await server.enqueue("webhooks", jobsFrom(first, Math.min(500, count - first)));
    expect(accepted).toBe(Math.min(500, count - first));
  }
}

test("5,000 jobs to a receiver that fails often: each ends delivered once or dead, and redrive delivers the dead", async () => {
  const receiver = await startReceiver({ record: false });
  try {
    let isHealed = false;
    const accepted = countAccepted(receiver, (job, attempt) => {
      if (job % 50 === 0 && !isHealed) return 410;
      return job % 5 === 0 && attempt <= 2 ? 500 : 200;
    });
    await using server = await startExecutable(configFor([{ name: "main", url: receiver.url }]));
    await enqueueAll(server, 5_000);
    await until(async () => accepted.size + ((await server.stats())["dead"] ?? 0) === 5_000, {
      timeoutMs: 90_000,
      everyMs: 50,
      what: "5,000 ends",
    });
    await server.untilIdle();
    expect(await server.stats()).toMatchObject({ dead: 100, ready: 0, delayed: 0, leased: 0 });
    const { items } = (await server.api("GET", "/v1/queues/webhooks/dead?limit=1000")).body as {
      items: { id: string; reason: string }[];
    };
    expect(new Set(items.map((item) => item.id)).size).toBe(100);
    for (const item of items) {
      expect(Number(/^job-(\d+)/.exec(item.id)?.[1]) % 50).toBe(0);
      expect(item.reason).not.toBe("");
    }
    isHealed = true;
    const redriven = await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 1_000 });
    expect(redriven.body).toMatchObject({ redriven: 100 });
    await until(() => accepted.size === 5_000, { timeoutMs: 90_000, what: "the redriven ones" });
    await server.untilIdle();
    expect([...accepted.values()].every((times) => times === 1)).toBe(true);
    expect(await server.stats()).toMatchObject({ dead: 0 });
    expect(await server.stop()).toBe(0);
  } finally {
    await receiver.close();
  }
}, 120_000);

test("every loop crashed three times under load: nothing is lost and it is over within seconds", async () => {
  const receiver = await startReceiver({ record: false });
  try {
    const accepted = countAccepted(receiver, () => 200);
    const supervisor = { allow_crash: true, restart_delay_ms: 20, max_restart_delay_ms: 100 };
    const queue = { driver: "memory", memory: { concurrency: 8 }, reliability: { lease_duration_ms: 3_000 } };
    await using server = await startExecutable(configFor([{ url: receiver.url }], { supervisor, queue }));
    const count = 10_000;
    const enqueueing = enqueueAll(server, count);
    const workers = await listWorkers(server);
    expect(workers.length).toBeGreaterThanOrEqual(8);
    for (let round = 1; round <= 3; round += 1) {
      for (const { id } of workers) {
        expect((await server.api("POST", `/v1/workers/${id}/crash`)).status).toBeLessThan(300);
      }
      await until(async () => (await listWorkers(server)).every((worker) => worker.restarts >= round), {
        what: `restart ${round} of every child`,
      });
    }
    await enqueueing;
    await until(() => accepted.size === count, { timeoutMs: 90_000, what: "every job at the receiver" });
    await server.untilIdle();
    expect(await server.stats()).toMatchObject({ dead: 0 });
    expect((await server.api("GET", "/health/ready")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  } finally {
    await receiver.close();
  }
}, 120_000);

interface Worker {
  readonly id: string;
  readonly state: string;
  readonly restarts: number;
  readonly last_error: string | null;
}

async function listWorkers(server: Executable): Promise<Worker[]> {
  return (await server.api("GET", "/v1/workers")).body.workers as Worker[];
}

test("a loop that crashes for ever ends the process with exit 1 and the reason", async () => {
  const supervisor = { allow_crash: true, max_restarts: 3, restart_delay_ms: 10, max_restart_delay_ms: 20 };
  await using server = await startExecutable(configFor([], { supervisor }));
  const id = (await listWorkers(server)).find((worker) => worker.id.includes("loop"))!.id;
  let isOver = false;
  void server.exited.then(() => (isOver = true));
  await until(
    async () => {
      // The last crash may end the process while it is being asked for.
      if (!isOver) await server.api("POST", `/v1/workers/${id}/crash`).catch(() => undefined);
      return isOver;
    },
    { what: "the end of the process" },
  );
  expect(await server.exited).toBe(1);
  const last = server.logs().at(-1);
  expect(JSON.stringify(server.logs().filter((line) => line.level === "error"))).toContain(id);
  expect(JSON.stringify(last)).toContain("restart");
});

test("a stalled loop is replaced within stall_ms and its job is delivered", async () => {
  const receiver = await startReceiver();
  try {
    const supervisor = { allow_crash: true, stall_ms: 1_000 };
    const queue = { driver: "memory", memory: { concurrency: 1 }, reliability: { lease_duration_ms: 2_000 } };
    await using server = await startExecutable(configFor([{ url: receiver.url }], { supervisor, queue }));
    const id = (await listWorkers(server)).find((worker) => worker.id.includes("loop"))!.id;
    expect((await server.api("POST", `/v1/workers/${id}/stall`)).status).toBeLessThan(300);
    await server.enqueue("webhooks", jobsFrom(0, 20));
    await until(async () => (await listWorkers(server)).find((worker) => worker.id === id)!.restarts === 1, {
      what: "the replacement",
    });
    await receiver.waitForCount(20);
    await server.untilIdle();
    expect(new Set(receiver.requests.map(jobNumberOf)).size).toBe(20);
  } finally {
    await receiver.close();
  }
});

test("crashing and stalling need allow_crash", async () => {
  await using server = await startExecutable(configFor([]));
  const id = (await listWorkers(server))[0]!.id;
  for (const action of ["crash", "stall"]) {
    const { status } = await server.api("POST", `/v1/workers/${id}/${action}`);
    expect(status).toBeGreaterThanOrEqual(400);
  }
  expect((await server.api("POST", `/v1/workers/${id}/restart`)).status).toBeLessThan(300);
});
