import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const trace = (n: number): string => `00-0af7651916cd43dd8448eb211c80319c-${`${n}`.repeat(16)}-01`;

test.each(["memory", "file", "redis"])(
  "on %s the trace of an enqueue goes with the job, over retries and to children, and into the log",
  async (driver) => {
    await using redis = await startRedis();
    await using receiver = await startReceiver({ behaviour: (_, n) => answer(n === 1 ? 503 : 200) });
    const webhook = (name: string) => ({ name, url: `${receiver.url}/${name}`, event_types: ["paid"] });
    await using server = await startExecutable({
      queue: { driver, redis: { url_override: redis.url } },
      webhooks: { retry: { schedule_ms: [50], jitter: 0 } },
      apps: [{ id: "shop", key: "k", secret: "s-of-this-test", webhooks: [webhook("one"), webhook("two")] }],
      endpoints: {
        a: { url: `${receiver.url}/a`, signing: "none" },
        own: { url: `${receiver.url}/own`, signing: "none", headers: { traceparent: trace(9) } },
      },
    });
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      server.api("POST", path, body, headers);
    const job = (endpoint: string, more: object = {}) => ({ type: "t", data: 1, endpoint, ...more });
    const jobs = "/v1/queues/webhooks/jobs";
    await post(jobs, job("a", { id: "retried", traceparent: trace(1) }));
    await receiver.waitFor(2);
    await post(jobs, [job("a", { traceparent: trace(3) }), job("a")], { traceparent: trace(2) });
    await post(jobs, [
      job("a"),
      job("a", { traceparent: "nonsense" }),
      job("own", { traceparent: trace(4) }),
    ]);
    await post("/v1/apps/shop/events", { events: [{ name: "paid" }] }, { traceparent: trace(5) });
    const expected = 9;
    await receiver.waitForCount(expected, 20_000);
    await server.untilIdle();
    const seen = receiver.requests.map(
      ({ path, headers }) => `${path} ${(headers["traceparent"] ?? "-".repeat(37)).slice(36, 37)}`,
    );
    expect(seen.toSorted()).toEqual(
      ["/a 1", "/a 1", "/a 2", "/a 3", "/a -", "/a -", "/own 9", "/one 5", "/two 5"].toSorted(),
    );
    // The same job in another trace is the same job.
    const again = await post(jobs, job("a", { id: "retried", traceparent: trace(7) }));
    expect(again.body.jobs).toEqual([{ id: "retried", status: "duplicate" }]);
    const failed = await until(() => server.logs().find(({ msg }) => msg === "attempt"), {
      what: "the log line",
    });
    expect(failed["traceparent"]).toBe(trace(1));
  },
);

test("what a producer pushes to Redis keeps its trace", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver();
  await using server = await startExecutable({
    queue: { driver: "redis", redis: { url_override: redis.url } },
    apps: [
      {
        id: "shop",
        key: "k",
        secret: "s-of-this-test",
        webhooks: [{ name: "one", url: receiver.url, event_types: ["paid"] }],
      },
    ],
    endpoints: { a: { url: receiver.url, signing: "none" } },
  });
  const payload = { time_ms: 1, events: [{ name: "paid" }] };
  for (const job of [
    { type: "t", data: 1, endpoint: "a", traceparent: trace(1) },
    { app_key: "k", app_id: "shop", payload, original_signature: "x", traceparent: trace(2) },
  ]) {
    await redis.client.rpush("sockudo_queue:queue:webhooks", JSON.stringify(job));
  }
  await receiver.waitForCount(2, 20_000);
  const seen = receiver.requests.map(({ headers }) => headers["traceparent"] ?? "").toSorted();
  expect(seen).toEqual([trace(1), trace(2)]);
  await server.untilIdle();
});
