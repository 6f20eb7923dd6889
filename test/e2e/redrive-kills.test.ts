import { expect, test } from "bun:test";
import { startExecutable, type Executable } from "../support/executable.ts";
import { temporaryFolder } from "../support/file-driver.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

const long = process.env["HOOKLINE_LONG"] === "1";
const letters = long ? 5_000 : 400;
const dead = "/v1/queues/webhooks/dead";

interface Counts {
  readonly ready: number;
  readonly dead: number;
}

const countsOf = async (server: Executable): Promise<Counts> =>
  (await server.api("GET", "/v1/queues/webhooks")).body as Counts;

/** Dead letters of all jobs; the queue is paused afterwards. */
async function buryAll(server: Executable, receiver: Receiver): Promise<void> {
  receiver.behave(() => answer(404));
  for (let first = 0; first < letters; first += 200) {
    const posted = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(first, 200));
    expect(posted.status).toBe(202);
  }
  await until(async () => (await countsOf(server)).dead === letters, {
    what: "the dead letters",
    timeoutMs: 60_000,
  });
  expect((await server.api("POST", "/v1/queues/webhooks/pause")).status).toBe(200);
}

/** Killed in the middle of a redrive: nothing is lost, nothing is twice, and the same request does the rest. */
async function killInTheMiddle(config: object, receiver: Receiver): Promise<void> {
  const filter = { endpoint: "shop/hook" };
  const request = { filter, per_second: letters / 2 };
  {
    await using server = await startExecutable(config);
    await buryAll(server, receiver);
    const started = await server.api("POST", `${dead}/redrive`, request);
    expect([started.status, started.body.state]).toEqual([202, "running"]);
    await until(async () => (await countsOf(server)).ready > letters / 4, { what: "a part to be redriven" });
    server.signal("SIGKILL");
    await server.exited;
  }
  await using server = await startExecutable(config);
  const left = await countsOf(server);
  expect(left.ready + left.dead).toBe(letters);
  expect(left.dead).toBeGreaterThan(0);
  const again = await server.api("POST", `${dead}/redrive`, { filter });
  expect(again.body).toMatchObject({ state: "done", matched: left.dead, done: left.dead });
  expect(await countsOf(server)).toMatchObject({ ready: letters, dead: 0 });
  const seen = new Map<number, number>();
  receiver.behave((one) => {
    const n = jobNumberOf(one);
    seen.set(n, (seen.get(n) ?? 0) + 1);
    return answer(200);
  });
  expect((await server.api("POST", "/v1/queues/webhooks/resume")).status).toBe(200);
  await until(
    async () => {
      const stats = (await server.api("GET", "/v1/queues/webhooks")).body as Counts & { leased: number };
      return stats.ready + stats.leased + stats.dead === 0;
    },
    { what: "all to be delivered", timeoutMs: 60_000 },
  );
  expect([seen.size, Math.max(...seen.values())]).toEqual([letters, 1]);
}

test(`file: a redrive of ${letters} survives kill -9`, async () => {
  using folder = temporaryFolder();
  await using receiver = await startReceiver({ record: false });
  const queue = { driver: "file", file: { path: folder.path, min_free_mb: 1, concurrency: 16 } };
  await killInTheMiddle(configFor([{ name: "hook", url: receiver.url }], { queue }), receiver);
}, 120_000);

test(`redis: a redrive of ${letters} survives kill -9`, async () => {
  await using redis = await startRedis();
  await using receiver = await startReceiver({ record: false });
  const queue = { driver: "redis", redis: { url_override: redis.url, concurrency: 16 } };
  await killInTheMiddle(configFor([{ name: "hook", url: receiver.url }], { queue }), receiver);
}, 120_000);
