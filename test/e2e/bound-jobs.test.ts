import { expect, test } from "bun:test";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, configFor } from "./scenario.ts";

interface Letters {
  readonly items: readonly { readonly reason: string; readonly endpoint: string }[];
}

async function letters(server: Executable): Promise<Letters["items"]> {
  return ((await server.api("GET", "/v1/queues/webhooks/dead")).body as Letters).items;
}

async function redriveAll(server: Executable): Promise<void> {
  expect((await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 10 })).body).toMatchObject({
    redriven: 1,
  });
}

// Finding: a dead letter whose webhook's event_types had changed was redriven and acked: `redriven: 1`, nothing
// delivered, no dead letter, no word (faults.md A10).
test("a redriven job is delivered with the events it was bound with, or is dead as not_wanted", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver();
  let status = 404;
  receiver.behave(() => answer(status));
  const start = (types: readonly string[]): Promise<Executable> =>
    startExecutable(
      configFor([{ name: "hook", url: receiver.url, event_types: types }], {
        queue: { driver: "redis", redis: { url_override: redis.url } },
      }),
    );
  const events = ["a", "b", "c"].map((name) => ({ name, channel: "room" }));
  {
    await using server = await start(["a", "b"]);
    await server.api("POST", `/v1/apps/${app.id}/events`, { events });
    await until(async () => (await letters(server)).length === 1, { what: "the dead letter" });
    expect(await server.stop()).toBe(0);
  }
  const first = receiver.requests[0]?.text;
  expect(JSON.parse(first ?? "")).toMatchObject({ events: events.slice(0, 2) });
  {
    await using server = await start(["x"]);
    await redriveAll(server);
    await until(async () => (await letters(server))[0]?.reason === "not_wanted", { what: "not_wanted" });
    expect(await letters(server)).toMatchObject([{ endpoint: `${app.id}/hook` }]);
    expect(receiver.requests).toHaveLength(1);
    expect(await server.stop()).toBe(0);
  }
  status = 204;
  await using server = await start(["b", "c"]);
  await redriveAll(server);
  await until(() => receiver.requests.length === 2, { what: "the delivery" });
  expect(receiver.requests[1]?.text).toBe(first as string);
  expect(receiver.requests[1]?.headers["webhook-id"]).toBe(receiver.requests[0]?.headers["webhook-id"]);
  expect(await letters(server)).toEqual([]);
}, 240_000);

test("a byte order mark before a job is passed over; an SNS envelope says what to switch on", async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver();
  await using server = await startExecutable(
    configFor([{ name: "hook", url: receiver.url }], {
      queue: { driver: "redis", redis: { url_override: redis.url } },
    }),
  );
  const job = JSON.stringify({
    app_id: app.id,
    payload: { time_ms: 1, events: [{ name: "channel_occupied", channel: "room" }] },
  });
  const list = "sockudo_queue:queue:webhooks";
  await redis.client.rpush(list, `\ufeff${job}`);
  await redis.client.rpush(list, JSON.stringify({ Type: "Notification", TopicArn: "arn:t", Message: job }));
  const posted = await server.api("POST", "/v1/queues/webhooks/jobs", `\ufeff${job}`);
  expect(posted.status).toBe(202);
  await until(() => receiver.requests.length === 2, { what: "two deliveries" });
  await until(async () => (await letters(server)).length === 1, { what: "the dead letter" });
  expect(await letters(server)).toMatchObject([
    { reason: "malformed", detail: expect.stringContaining("SNS raw message delivery") as string },
  ]);
}, 240_000);
