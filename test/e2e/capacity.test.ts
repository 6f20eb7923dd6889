import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

const capacity = 100;

function start(receiver: Receiver, whenFull: string): Promise<Executable> {
  return startExecutable(
    configFor([{ name: "down", url: receiver.url, breaker: { min_attempts: 100_000 } }], {
      queue: { driver: "memory", memory: { capacity, when_full: whenFull, concurrency: 4 } },
      webhooks: { retry: { initial_backoff_ms: 60_000, max_backoff_ms: 60_000 } },
    }),
  );
}

async function waiting(server: Executable): Promise<number> {
  const { ready, delayed, parked } = await server.stats();
  return ready! + delayed! + parked!;
}

async function metric(server: Executable, name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{queue="webhooks"\\} (\\d+)`, "m").exec(text)?.[1] ?? 0);
}

// Finding: with the receiver down 2,000 jobs were held under a capacity of 100, and `reject` never rejected
// (faults.md A9).
test("with the receiver down `reject` holds its capacity and answers 503 queue_full", async () => {
  await using receiver = await startReceiver({ record: false });
  receiver.behave(() => answer(500));
  await using server = await start(receiver, "reject");
  const codes: string[] = [];
  for (let n = 0; n < 2_000; n += 100) {
    const { status, body } = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(n, 100));
    codes.push(status === 202 ? "taken" : `${status} ${body.code}`);
    // What is leased does not count, and may come back on top.
    expect(await waiting(server)).toBeLessThanOrEqual(capacity + 32);
  }
  await until(async () => (await server.stats())["leased"] === 0, { what: "every job to have been tried" });
  const full = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(2_000, 1));
  expect([full.status, full.body.code]).toEqual([503, "queue_full"]);
  expect(codes.at(-1)).toBe("503 queue_full");
  expect(await metric(server, "hookline_jobs_evicted_total")).toBe(0);
}, 240_000);

test("with the receiver down `evict_oldest` holds its capacity, counts what goes, and keeps the newest", async () => {
  await using receiver = await startReceiver({ record: false });
  const tried = new Set<number>();
  receiver.behave((request) => {
    tried.add(jobNumberOf(request));
    return answer(500);
  });
  await using server = await start(receiver, "evict_oldest");
  for (let n = 0; n < 2_000; n += 50) {
    await server.enqueue("webhooks", jobsFrom(n, 50));
    expect(await waiting(server)).toBeLessThanOrEqual(capacity);
    await until(async () => (await server.stats())["ready"] === 0, { what: "the new ones to be tried" });
  }
  // None was pushed out before its first attempt: what the dead endpoint held went first.
  await until(() => tried.size === 2_000, { what: "2,000 first attempts" });
  await until(async () => (await server.stats())["leased"] === 0, { what: "every job to have been tried" });
  expect(await waiting(server)).toBe(capacity);
  expect(await metric(server, "hookline_jobs_evicted_total")).toBe(2_000 - capacity);
  expect(server.output()).toContain("the queue is full: jobs were dropped");
}, 240_000);
