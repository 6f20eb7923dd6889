import { expect, test } from "bun:test";
import { type Executable, startExecutable } from "../support/executable.ts";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

// What waits or fails says so: in the log, in /health, /v1/problems and /metrics. A state must be told within two
// seconds; the waits here end much later, because the machine may be busy.

async function metricsOf(server: Executable): Promise<Map<string, number>> {
  const { text } = await server.api("GET", "/metrics");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

const messages = (server: Executable, level: string): string[] =>
  server
    .logs()
    .filter((line) => line.level === level)
    .map(({ msg }) => msg);

const kindsOf = async (server: Executable): Promise<string[]> => {
  const problems = (await server.api("GET", "/v1/problems")).body as { kind: string; object: string }[];
  // A Redis without a file says so; that is not what is looked at here.
  return problems
    .filter(({ kind }) => !/^(?:not_durable|backend_settings)$/.test(kind))
    .map(({ kind, object }) => `${kind} ${object}`);
};

test("a breaker that opens is in the log, the metrics, the API and /health, and so is its end", async () => {
  await using receiver = await startReceiver({ behaviour: answer(500) });
  await using server = await startExecutable({
    queue: { driver: "memory" },
    webhooks: { retry: { max_attempts: 3, initial_backoff_ms: 10, max_backoff_ms: 20 } },
    endpoints: {
      failing: { url: receiver.url, signing: "none", breaker: { min_attempts: 3, open_ms: 60_000 } },
      other: { url: receiver.url, signing: "none" },
    },
  });
  const before = await metricsOf(server);
  expect(before.get('hookline_endpoint_state{endpoint="failing",state="closed"}')).toBe(1);
  expect(before.get('hookline_endpoint_state{endpoint="failing",state="open"}')).toBe(0);
  expect(before.get('hookline_attempts_total{endpoint="failing",outcome="http_status"}')).toBe(0);
  await server.enqueue("webhooks", { type: "t", data: 1, endpoint: "failing" });
  await until(() => messages(server, "warn").some((text) => text.includes("breaker opened")), {
    what: "the warning",
  });
  const { body } = await server.api("GET", "/v1/endpoints/-/failing");
  expect(body).toMatchObject({ breaker: "open", mode: "enabled" });
  expect(Date.parse(body.open_until) - Date.now()).toBeWithin(20_000, 60_001);
  expect(body.held_ms).toBeWithin(20_000, 60_001);
  const open = await metricsOf(server);
  expect(open.get('hookline_endpoint_state{endpoint="failing",state="open"}')).toBe(1);
  expect(open.get('hookline_endpoint_state{endpoint="failing",state="closed"}')).toBe(0);
  expect(open.get('hookline_endpoint_state{endpoint="other",state="closed"}')).toBe(1);
  expect(open.get('hookline_endpoints{state="open"}')).toBe(1);
  expect(await kindsOf(server)).toContain("breaker_open failing");
  const health = await server.api("GET", "/health");
  expect([health.status, health.body.status]).toEqual([200, "degraded"]);
  expect(health.text).toContain("breaker_open");
  expect(health.text).not.toContain("failing");

  await server.api("POST", "/v1/endpoints/-/failing/enable");
  await until(() => messages(server, "info").some((text) => text.includes("breaker closed")), {
    what: "its end",
  });
  expect(await kindsOf(server)).not.toContain("breaker_open failing");
  expect((await server.api("GET", "/health")).body.status).toBe("ok");
});

test("a counter is there, at 0, before anything is counted; loops of a queue have one series", async () => {
  await using server = await startExecutable({
    queue: { driver: "memory", queues: ["webhooks", "mail"], memory: { concurrency: 12 } },
    endpoints: { a: { url: "http://127.0.0.1:9/", signing: "none" } },
  });
  const { text } = await server.api("GET", "/metrics");
  const counters = [...text.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name as string);
  expect(counters.length).toBeGreaterThan(10);
  for (const name of counters) expect([name, text.includes(`\n${name}{`)]).toEqual([name, true]);
  const metrics = await metricsOf(server);
  expect(metrics.get('hookline_jobs_settled_total{queue="mail",disposition="dead"}')).toBe(0);
  expect(metrics.get('hookline_enqueue_to_delivery_seconds_bucket{queue="mail",le="+Inf"}')).toBe(0);
  expect(metrics.get('hookline_attempt_duration_seconds_count{endpoint="a"}')).toBe(0);
  const build = [...metrics].filter(([name]) => name.startsWith("hookline_build_info{"));
  expect(build.map(([, value]) => value)).toEqual([1]);
  expect(build[0]?.[0]).toMatch(/version="[^"]+",commit="(?:[0-9a-f]{40})?",target="[^"]*",driver="memory"/);
  const children = [...metrics.keys()].filter((name) => name.startsWith("hookline_worker_restarts_total"));
  expect(children.filter((name) => name.includes("loop"))).toEqual([
    'hookline_worker_restarts_total{child="webhooks/loop"}',
    'hookline_worker_restarts_total{child="mail/loop"}',
  ]);
  expect([...metrics.keys()].filter((name) => /loop-\d/.test(name))).toEqual([]);
});

test("the time from enqueue to delivery counts the waits between attempts", async () => {
  await using receiver = await startReceiver({ behaviour: (_, n) => answer(n === 1 ? 500 : 200) });
  await using server = await startExecutable({
    queue: { driver: "memory" },
    webhooks: { retry: { schedule_ms: [300], jitter: 0 } },
    endpoints: { a: { url: receiver.url, signing: "none" } },
  });
  await server.enqueue("webhooks", { type: "t", data: 1, endpoint: "a" });
  const name = (part: string): string => `hookline_enqueue_to_delivery_seconds_${part}`;
  await until(async () => (await metricsOf(server)).get(name('count{queue="webhooks"}')) === 1, {
    what: "the delivery",
  });
  const metrics = await metricsOf(server);
  expect(metrics.get(name('sum{queue="webhooks"}'))).toBeGreaterThan(0.29);
  expect(metrics.get(name('bucket{queue="webhooks",le="0.25"}'))).toBe(0);
  expect(metrics.get(name('bucket{queue="webhooks",le="172800"}'))).toBe(1);
});

// Finding: all endpoints' backlogs were NaN while one queue's key was broken, and its depth stood still at its last number.
test("of a queue whose parked jobs cannot be counted only its own part is missing", async () => {
  await using redis = await startRedis();
  await using server = await startExecutable({
    queue: { driver: "redis", queues: ["webhooks", "mail"], redis: { url_override: redis.url } },
    endpoints: { held: { url: "http://127.0.0.1:9/", signing: "none" } },
  });
  await server.api("POST", "/v1/endpoints/-/held/pause");
  const jobs = Array.from({ length: 3 }, (_, n) => ({ type: "t", data: n, endpoint: "held" }));
  for (const queue of ["webhooks", "mail"]) await server.enqueue(queue, jobs);
  const backlog = 'hookline_endpoint_backlog{endpoint="held"}';
  const parkedIn = (queue: string) => `hookline_queue_depth{queue="${queue}",state="parked"}`;
  const untilTold = (name: string, value: number): Promise<unknown> =>
    until(async () => Object.is((await metricsOf(server)).get(name), value), { what: `${name} ${value}` });
  await untilTold(backlog, 6);
  await untilTold(parkedIn("mail"), 3);
  const key = "{sockudo_queue:queue:mail}:parked";
  await redis.client.rename(key, `${key}:aside`);
  await redis.client.set(key, "x");
  await untilTold(backlog, 3);
  await untilTold(parkedIn("mail"), Number.NaN);
  await untilTold(parkedIn("webhooks"), 3);
  expect((await metricsOf(server)).get("hookline_endpoints_backlog")).toBe(3);
  expect(await kindsOf(server)).toContain("queue_broken mail");
  await redis.client.rename(`${key}:aside`, key);
  await untilTold(backlog, 6);
  await untilTold(parkedIn("mail"), 3);
});

test.each(["memory", "redis"])(
  "on %s a paused queue, paused and disabled endpoints and what is parked are told",
  async (driver) => {
    const redis = driver === "redis" ? await startRedis() : null;
    try {
      await using receiver = await startReceiver({ behaviour: hang(), record: false });
      const config = {
        queue: {
          driver,
          memory: { concurrency: 2 },
          redis: { concurrency: 2, ...(redis === null ? {} : { url_override: redis.url }) },
        },
        webhooks: { request_timeout_ms: 60_000 },
        endpoints: {
          slow: { url: receiver.url, signing: "none" },
          paused: { url: receiver.url, signing: "none" },
          disabled: { url: receiver.url, signing: "none" },
        },
      };
      await using server = await startExecutable(config);
      // On Redis another process does what an operator asks, and this one tells.
      await using other = redis === null ? null : await startExecutable(config);
      const operator = other ?? server;
      await server.api("POST", "/v1/endpoints/-/slow/resume");
      await operator.api("POST", "/v1/endpoints/-/paused/pause");
      await operator.api("POST", "/v1/endpoints/-/disabled/disable");
      const all = ["endpoint_disabled disabled", "endpoint_paused paused"];
      await until(async () => (await kindsOf(server)).toSorted().join() === all.join(), {
        what: "both problems",
      });
      await server.enqueue(
        "webhooks",
        Array.from({ length: 20 }, (_, n) => ({ type: "t", data: n, endpoint: "paused" })),
      );
      await until(
        async () => (await metricsOf(server)).get('hookline_endpoint_backlog{endpoint="paused"}') === 20,
        { what: "a backlog of 20" },
      );
      const metrics = await metricsOf(server);
      expect(metrics.get('hookline_queue_depth{queue="webhooks",state="parked"}')).toBe(20);
      expect(metrics.get('hookline_endpoint_state{endpoint="paused",state="paused"}')).toBe(1);
      expect(metrics.get('hookline_endpoint_state{endpoint="disabled",state="disabled"}')).toBe(1);
      expect(metrics.get('hookline_endpoint_backlog{endpoint="slow"}')).toBe(0);
      expect(metrics.get("hookline_endpoints_backlog")).toBe(20);
      expect(metrics.get('hookline_queue_paused{queue="webhooks"}')).toBe(0);
      await until(
        async () =>
          ((await metricsOf(server)).get('hookline_endpoint_oldest_age_seconds{endpoint="paused"}') ?? 0) >
          0.5,
        { what: "an age that grows" },
      );

      await operator.api("POST", "/v1/queues/webhooks/pause");
      await until(async () => (await kindsOf(server)).includes("queue_paused webhooks"), {
        what: "the paused queue",
      });
      expect(messages(server, "warn").filter((text) => text.includes("queue is paused"))).toHaveLength(1);
      expect((await metricsOf(server)).get('hookline_queue_paused{queue="webhooks"}')).toBe(1);
      expect((await server.api("GET", "/health")).text).toContain("queue_paused");
      await operator.api("POST", "/v1/queues/webhooks/resume");
      await until(async () => !(await kindsOf(server)).includes("queue_paused webhooks"), {
        what: "its end",
      });
      expect(messages(server, "info").filter((text) => text.includes("queue is resumed"))).toHaveLength(1);
    } finally {
      await redis?.stop();
    }
  },
);
