import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

interface Told {
  readonly id: string;
  readonly type: string;
  readonly object: string;
  readonly data: Readonly<Record<string, unknown>>;
}

function toldTo(receiver: Receiver): Told[] {
  return receiver.requests.map(({ headers, body }) => {
    const { type, data } = JSON.parse(body.toString()) as Told;
    return { id: String(headers["webhook-id"]), type, object: String(data["object"]), data };
  });
}

const typesOf = (receiver: Receiver): string[] => [...new Set(toldTo(receiver).map(({ type }) => type))];

async function untilTold(receiver: Receiver, type: string, object: string): Promise<Told> {
  const find = () => toldTo(receiver).find((one) => one.type === type && one.object === object);
  return until(find, { what: `${type} of ${object}; told: ${typesOf(receiver).join(", ")}` });
}

const job = (endpoint: string) => ({ type: "t", data: 1, endpoint });

test("what happens is told once a window, signed, and nothing about the event endpoint itself", async () => {
  await using ops = await startReceiver();
  await using receiver = await startReceiver({ behaviour: answer(500), record: false });
  const url = receiver.url;
  const config = (more: object = {}) => ({
    queue: { driver: "memory", queues: ["webhooks", "slow"] },
    supervisor: { allow_crash: true },
    webhooks: { retry: { max_attempts: 1 } },
    operator_events: [{ endpoint: "ops", lag_ms: 1_000, window_ms: 1_000_000_000 }],
    endpoints: {
      ops: { url: ops.url, signing_keys: [{ key: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }] },
      bad: { url, signing: "none", breaker: { min_attempts: 3, open_ms: 60_000 } },
      storm: { url, signing: "none", breaker: { min_attempts: 10_000 } },
    },
    ...more,
  });
  await using server = await startExecutable(config());

  await server.enqueue("webhooks", [job("bad"), job("bad"), job("bad")]);
  await untilTold(ops, "job.dead", "bad attempts_exhausted");
  const opened = await untilTold(ops, "breaker.opened", "bad");
  expect(opened.data).toMatchObject({ endpoint: "bad", failures: 3, detail: "HTTP 500" });
  expect(opened.id).toMatch(/^op-[0-9a-f]{40}_[0-9a-f]{8}$/);
  expect(ops.requests[0]?.headers["webhook-signature"]).toMatch(/^v1,/);

  await server.api("POST", "/v1/endpoints/-/bad/disable");
  await untilTold(ops, "endpoint.disabled", "bad");
  await server.api("POST", "/v1/endpoints/-/bad/enable");
  await untilTold(ops, "endpoint.recovered", "bad");
  await untilTold(ops, "breaker.closed", "bad");

  await server.api("POST", "/v1/workers/webhooks/settler/crash");
  await server.enqueue(
    "webhooks",
    Array.from({ length: 500 }, () => job("storm")),
  );
  await untilTold(ops, "loop.restarted", "webhooks/settler");

  server.configure(config({ nonsense: 1 }));
  await server.api("POST", "/v1/config/reload");
  expect((await untilTold(ops, "config.refused", "")).data["issues"]).toHaveLength(1);
  server.configure(config({ metrics: { endpoint_series: 7 } }));
  await server.api("POST", "/v1/config/reload");
  expect((await untilTold(ops, "config.reloaded", "")).data["changed"]).toEqual(["metrics.endpoint_series"]);

  await server.api("POST", "/v1/queues/slow/pause");
  await server.enqueue("slow", job("storm"));
  expect((await untilTold(ops, "problem.opened", "queue_paused:slow")).data).toMatchObject({
    kind: "queue_paused",
    severity: "note",
    about: "slow",
  });
  await untilTold(ops, "queue.lagging", "slow");
  await server.api("POST", "/v1/queues/slow/resume");
  await untilTold(ops, "problem.closed", "queue_paused:slow");

  // Its own trouble is not told to it, and that of 500 jobs once.
  await server.untilIdle();
  ops.behave(answer(500));
  await server.enqueue("webhooks", job("ops"));
  await until(async () => Number((await server.stats())["dead"]) >= 504, { what: "its own dead letter" });
  await server.api("POST", "/v1/endpoints/-/ops/disable");
  await server.api("POST", "/v1/endpoints/-/ops/enable");
  await server.untilIdle();
  const told = toldTo(ops);
  expect(told.filter(({ type }) => type === "job.dead").map(({ object }) => object)).toEqual([
    "bad attempts_exhausted",
    "storm attempts_exhausted",
  ]);
  expect(told.filter(({ object, data }) => `${object} ${String(data["endpoint"])}`.includes("ops"))).toEqual(
    [],
  );
  expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
});

test("of a fleet on one Redis an event is one job", async () => {
  await using redis = await startRedis();
  await using ops = await startReceiver();
  const config = {
    queue: { driver: "redis", redis: { url_override: redis.url } },
    operator_events: [{ endpoint: "ops", types: ["endpoint.disabled"], window_ms: 1_000_000_000 }],
    endpoints: {
      ops: { url: ops.url, signing: "none" },
      a: { url: "http://127.0.0.1:9/", signing: "none" },
      b: { url: "http://127.0.0.1:9/", signing: "none" },
    },
  };
  await using first = await startExecutable(config);
  await using second = await startExecutable(config);
  await first.api("POST", "/v1/endpoints/-/a/disable");
  await until(
    () => second.logs().some(({ msg, endpoint }) => endpoint === "a" && msg.includes("mode was changed")),
    {
      what: "the other process to see it",
    },
  );
  await first.api("POST", "/v1/endpoints/-/b/disable");
  await until(
    () => second.logs().some(({ msg, endpoint }) => endpoint === "b" && msg.includes("mode was changed")),
    {
      what: "the other process to see the second",
    },
  );
  await untilTold(ops, "endpoint.disabled", "b");
  await first.untilIdle();
  expect(
    toldTo(ops)
      .map(({ object }) => object)
      .toSorted(),
  ).toEqual(["a", "b"]);
});
