import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { runExecutable, startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { startRedis, type RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, configFor, isSigned, jobNumber, jobNumberOf } from "./scenario.ts";

// The name of a webhook is what stored jobs and modes are found by (contract §2): a URL may be corrected, and nobody
// inherits another's.

let redis: RedisProcess;
let receiver: Receiver;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.client.flushall();
  receiver = await startReceiver();
  receiver.behave(({ path }) => answer(path === "/hook" ? 200 : path === "/away" ? 503 : 404));
});
afterEach(() => receiver.close());

const start = (webhooks: readonly object[], others: object = {}): Promise<Executable> =>
  startExecutable(
    configFor(webhooks, {
      queue: { driver: "redis", redis: { url_override: redis.url, concurrency: 8 } },
      ...others,
    }),
  );

/** The name that 0.1 gave a webhook of this URL. */
const formerName = (url: string): string =>
  `127.0.0.1-${createHash("sha256").update(url).digest("hex").slice(0, 6)}`;

const webhookIds = (): Set<string | undefined> =>
  new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));

const untilStats = (server: Executable, expected: object): Promise<unknown> =>
  until(
    async () => {
      const stats = await server.stats();
      return Object.entries(expected).every(([key, value]) => stats[key] === value);
    },
    { what: JSON.stringify(expected) },
  );

test("a URL is corrected: what was dead, waiting and new is delivered to the corrected one", async () => {
  {
    await using wrong = await start([{ url: `${receiver.url}/hok` }]);
    await wrong.enqueue("webhooks", jobNumber(1));
    await untilStats(wrong, { dead: 1 });
    expect((await wrong.api("GET", "/v1/queues/webhooks/dead")).body.items[0].endpoint).toBe("shop/webhook");
    expect(await wrong.stop()).toBe(0);
  }
  {
    const slow = { webhooks: { retry: { schedule_ms: [1_500] } } };
    await using away = await start([{ url: `${receiver.url}/away` }], slow);
    await away.enqueue("webhooks", jobNumber(2));
    await untilStats(away, { delayed: 1, leased: 0 });
    expect(await away.stop()).toBe(0);
  }
  await using right = await start([{ url: `${receiver.url}/hook` }]);
  const ids = webhookIds();
  receiver.clear();
  expect(
    (await right.api("POST", "/v1/queues/webhooks/dead/redrive", { ids: ["job-1"] })).body,
  ).toMatchObject({ redriven: 1 });
  await receiver.waitForCount(2);
  expect(new Set(receiver.requests.map(jobNumberOf))).toEqual(new Set([1, 2]));
  expect(webhookIds()).toEqual(ids);
  await untilStats(right, { dead: 0, delayed: 0, leased: 0 });
}, 120_000);

test("what 0.1 stored under the URL's label is found: bound job, dead letter, paused mode, parked job", async () => {
  const url = `${receiver.url}/hook`;
  const former = formerName(url);
  const hash = createHash("sha256").update(former).digest("hex").slice(0, 8);
  const envelope = (n: number): string =>
    JSON.stringify({
      hookline: 1,
      id: `job-${n}`,
      kind: "pusher",
      app_id: app.id,
      app_key: app.key,
      source: "sockudo",
      endpoint: former,
      delivery_id: `job-${n}_${hash}`,
      payload: (jobNumber(n) as { payload: object }).payload,
    });
  await redis.client.hset("{sockudo_queue:hookline}:shared", `endpoint:shop/${former}`, "paused");
  await redis.client.rpush("sockudo_queue:queue:webhooks", envelope(1), envelope(2));

  await using server = await start([{ url }, { name: "other", url: `${receiver.url}/never` }]);
  const path = "/v1/endpoints/shop/webhook";
  expect((await server.api("GET", path)).body).toMatchObject({ name: "webhook", mode: "paused" });
  // Scripts of 0.1's time go on naming it as they did.
  expect((await server.api("GET", `/v1/endpoints/shop/${former}`)).body.label).toBe("shop/webhook");
  await untilStats(server, { parked: 2, leased: 0, ready: 0 });
  expect(receiver.count).toBe(0);

  // Its mode no longer hangs on the URL, and when it is changed nothing of 0.1's is left to contradict it.
  const stored = (): Promise<Record<string, string>> =>
    redis.client.hgetall("{sockudo_queue:hookline}:shared");
  expect(await stored()).toMatchObject({ "endpoint:shop/webhook": "paused" });
  expect((await server.api("POST", `${path}/resume`)).status).toBe(200);
  expect(await stored()).toEqual({});
  await receiver.waitForCount(2);
  expect(webhookIds()).toEqual(new Set([`job-1_${hash}`, `job-2_${hash}`]));
  expect(receiver.requests.every((request) => isSigned(request))).toBe(true);

  receiver.behave(answer(404));
  await redis.client.rpush("sockudo_queue:queue:webhooks", envelope(3));
  await untilStats(server, { dead: 1 });
  receiver.behave(answer(200));
  await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 1 });
  await untilStats(server, { dead: 0, ready: 0, leased: 0 });
  expect(receiver.requests.at(-1)?.headers["webhook-id"]).toBe(`job-3_${hash}`);
}, 120_000);

test("nobody inherits another's: a dead letter of 0.1 whose webhook is gone goes to none of the others", async () => {
  const gone = formerName(`${receiver.url}/gone`);
  const body = JSON.stringify({
    hookline: 1,
    id: "job-1",
    kind: "pusher",
    app_id: app.id,
    app_key: app.key,
    source: "sockudo",
    endpoint: gone,
    delivery_id: "job-1_00000000",
    payload: (jobNumber(1) as { payload: object }).payload,
  });
  await redis.client.rpush("sockudo_queue:queue:webhooks", body);
  await using server = await start([{ url: `${receiver.url}/hook` }]);
  await untilStats(server, { dead: 1 });
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body;
  expect(items[0].reason).toBe("endpoint_removed");
  expect(receiver.count).toBe(0);
  expect(await server.stop()).toBe(0);

  // It is somebody's once a webhook bears that name.
  await using named = await start([{ name: gone, url: `${receiver.url}/hook` }]);
  await named.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 1 });
  await receiver.waitForCount(1);
  expect(receiver.requests[0]?.headers["webhook-id"]).toBe("job-1_00000000");
}, 120_000);

test("two webhooks without a name are refused, with the names that keep what 0.1 stored", async () => {
  const urls = [`${receiver.url}/a/token-of-a`, `${receiver.url}/b/token-of-b`];
  const config = configFor(urls.map((url) => ({ url })));
  const { apps } = config as { apps: object };
  const run = await runExecutable(["config", "check"], { env: { HOOKLINE_APPS: JSON.stringify(apps) } });
  expect(run.code).toBe(78);
  for (const [index, url] of urls.entries()) {
    expect(run.stderr).toContain(`apps.0.webhooks.${index} (env HOOKLINE_APPS): `);
    expect(run.stderr).toContain(`add "name": "${formerName(url)}"`);
  }
  expect(run.stderr).not.toContain("token-of");
});
