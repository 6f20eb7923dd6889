import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";
import { until } from "../support/until.ts";

test("SIGTERM under load: exit 0 inside the deadline, and the last log line's counts add up", async () => {
  const receiver = await startReceiver({ record: false });
  try {
    const accepted = new Set<number>();
    receiver.behave((request) => {
      accepted.add(jobNumberOf(request));
      return answer(200, { delayMs: 20 });
    });
    const queue = {
      driver: "memory",
      memory: { concurrency: 16 },
      reliability: { shutdown_timeout_ms: 4_000 },
    };
    await using server = await startExecutable(configFor([{ url: receiver.url }], { queue }));
    await server.enqueue("webhooks", jobsFrom(0, 3_000));
    await receiver.waitForCount(200);
    const startedAt = performance.now();
    expect(await server.stop("SIGTERM")).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    const last = server.logs().at(-1)!;
    expect(last).toMatchObject({ delivered: accepted.size, left_behind: 3_000 - accepted.size });
    expect(accepted.size).toBeGreaterThanOrEqual(200);
    expect(accepted.size).toBeLessThan(3_000);
  } finally {
    await receiver.close();
  }
});

test("while draining, readiness is 503 and attempts in flight may finish", async () => {
  const receiver = await startReceiver({ behaviour: answer(200, { delayMs: 1_000 }) });
  try {
    await using server = await startExecutable(configFor([{ url: receiver.url }]));
    await server.enqueue("webhooks", jobsFrom(0, 1));
    await receiver.waitForCount(1);
    server.signal("SIGINT");
    // The signal is delivered when the system gets round to it; the attempt lasts a second longer.
    await until(async () => (await server.api("GET", "/health/ready")).status === 503, {
      timeoutMs: 900,
      what: "readiness to go 503",
    });
    expect((await server.api("GET", "/health")).body.status).toBe("draining");
    expect(await server.exited).toBe(0);
    expect(server.logs().at(-1)).toMatchObject({ delivered: 1, left_behind: 0 });
  } finally {
    await receiver.close();
  }
});

test("attempts that do not finish are given up at the deadline, and what is left is counted", async () => {
  const receiver = await startReceiver({ behaviour: hang("head") });
  try {
    const queue = { driver: "memory", memory: { concurrency: 4 }, reliability: { shutdown_timeout_ms: 500 } };
    await using server = await startExecutable(configFor([{ url: receiver.url }], { queue }));
    await server.enqueue("webhooks", jobsFrom(0, 10));
    await receiver.waitForCount(4);
    const startedAt = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(server.logs().at(-1)).toMatchObject({ delivered: 0, left_behind: 10 });
  } finally {
    await receiver.close();
  }
});

test("a second signal skips the wait", async () => {
  const receiver = await startReceiver({ behaviour: hang("head") });
  try {
    const queue = { driver: "memory", reliability: { shutdown_timeout_ms: 60_000 } };
    const settings = { request_timeout_ms: 60_000 };
    await using server = await startExecutable(
      configFor([{ url: receiver.url }], { queue, webhooks: settings }),
    );
    await server.enqueue("webhooks", jobsFrom(0, 3));
    await receiver.waitForCount(3);
    server.signal("SIGTERM");
    // The first signal was seen once readiness says so; only then is the next one the second.
    while ((await server.api("GET", "/health/ready")).status === 200);
    const startedAt = performance.now();
    expect(await server.stop("SIGTERM")).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(server.logs().at(-1)).toMatchObject({ delivered: 0, left_behind: 3 });
  } finally {
    await receiver.close();
  }
});

test("SIGKILL on the memory driver loses only what the process held, as /health says", async () => {
  await using server = await startExecutable(configFor([]));
  expect((await server.api("GET", "/health")).body.durable).toBe(false);
  expect(await server.stop("SIGKILL")).toBe(137);
});
