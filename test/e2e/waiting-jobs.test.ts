import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startExecutable, type Executable } from "../support/executable.ts";
import { temporaryFolder } from "../support/file-driver.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { startRedis, type RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app, configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

/** Issue "Find it, send it again, be told", part 2: run and cancel beside workers, and a process that dies meanwhile. */

let redis: RedisProcess;
let receiver: Receiver;
beforeAll(async () => {
  redis = await startRedis();
  receiver = await startReceiver({ behaviour: answer(200) });
});
afterAll(async () => {
  await receiver.close();
  await redis.stop();
});

const hooks = () => [{ name: "orders", url: `${receiver.url}/orders` }];
const redisConfig = (prefix: string) =>
  configFor(hooks(), {
    queue: { driver: "redis", redis: { url_override: redis.url, prefix, concurrency: 4 } },
  });

interface Listed {
  readonly ref: string;
  readonly job_id: string;
  readonly app: string | null;
}

async function list(server: Executable, state: string, limit = 1000): Promise<Listed[]> {
  const { status, body } = await server.api("GET", `/v1/queues/webhooks/jobs?state=${state}&limit=${limit}`);
  expect(status).toBe(200);
  return body.items as Listed[];
}

const numberOf = ({ job_id: id }: Pick<Listed, "job_id">): number => Number(id.split("-")[1]);

/** How often each job was delivered since, by its number. */
function deliveredSince(before: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const request of receiver.requests.slice(before)) {
    const number = jobNumberOf(request);
    counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  return counts;
}

test("beside two processes that deliver, nothing is lost or doubled, and what was cancelled is not delivered", async () => {
  const prefix = "beside:";
  await using one = await startExecutable(redisConfig(prefix));
  await using two = await startExecutable(redisConfig(prefix));
  const before = receiver.requests.length;
  const count = 600;
  // A third each: enqueued here, delayed for an hour, and a producer's own messages.
  await one.enqueue("webhooks", jobsFrom(0, 200));
  await one.enqueue(
    "webhooks",
    jobsFrom(200, 200).map((job) => ({ ...job, delay_ms: 3_600_000 })),
  );
  for (const job of jobsFrom(400, 200)) {
    const { id, ...rest } = job as { id: string };
    const message = { job_id: id, app_key: app.key, app_secret: app.secret, original_signature: "", ...rest };
    await redis.client.rpush(`${prefix}queue:webhooks`, JSON.stringify(message));
  }
  const cancelled = new Set<number>();
  await until(
    async () => {
      const [ready, delayed] = await Promise.all([list(two, "ready", 5), list(one, "delayed", 15)]);
      const some = delayed.slice(0, 5);
      const refs = [...ready, ...some].map(({ ref }) => ref);
      const later = delayed.slice(5).map(({ ref }) => ref);
      if (later.length > 0) await one.api("POST", "/v1/queues/webhooks/jobs/run", { refs: later });
      if (refs.length > 0) {
        const { body } = await two.api("POST", "/v1/queues/webhooks/jobs/cancel", { refs });
        const left = new Set([...body.leased, ...body.not_found]);
        for (const job of [...ready, ...some]) if (!left.has(job.ref)) cancelled.add(numberOf(job));
      }
      return deliveredSince(before).size + cancelled.size >= count;
    },
    { what: "every job to be delivered or cancelled", timeoutMs: 90_000, everyMs: 1 },
  );
  await one.untilIdle();
  const counts = deliveredSince(before);
  expect([...counts.values()].filter((times) => times !== 1)).toEqual([]);
  expect([...cancelled].filter((number) => counts.has(number))).toEqual([]);
  expect(counts.size + cancelled.size).toBe(count);
  // Each stands in the history of the process that was asked.
  const { body } = await two.api("GET", "/v1/deliveries?state=cancelled&limit=1000");
  expect(new Set((body.items as Listed[]).map(numberOf))).toEqual(cancelled);
}, 120_000);

describe("killed in the middle of cancelling and running many", () => {
  test.each(["redis", "file"])(
    "%s: nothing else is lost, nothing is doubled, and what was answered holds",
    async (driver) => {
      using folder = temporaryFolder();
      const queue = { driver: "file", file: { path: folder.path } };
      const config = driver === "redis" ? redisConfig("killed:") : configFor(hooks(), { queue });
      const before = receiver.requests.length;
      const first = await startExecutable(config);
      const count = 900;
      // Nobody delivers before the end: what is delayed is run by the one that is killed.
      await first.api("POST", "/v1/queues/webhooks/pause");
      await first.enqueue("webhooks", jobsFrom(0, 600));
      await first.enqueue(
        "webhooks",
        jobsFrom(600, 300).map((job) => ({ ...job, delay_ms: 3_600_000 })),
      );
      const ready = await list(first, "ready");
      const delayed = await list(first, "delayed");
      expect([ready.length, delayed.length]).toEqual([600, 300]);
      /** Named in a request to cancel, and named in one that was answered. */
      const asked = new Set<number>();
      const done = new Set<number>();
      const refsOf = (jobs: readonly Listed[]): string[] => jobs.map(({ ref }) => ref);
      const requests: Promise<unknown>[] = [];
      for (let at = 0; at < 300; at += 10) {
        const some = ready.filter((_, n) => n % 2 === 1).slice(at, at + 10);
        for (const job of some) asked.add(numberOf(job));
        const cancel = first.api("POST", "/v1/queues/webhooks/jobs/cancel", { refs: refsOf(some) });
        requests.push(cancel.then(() => some.forEach((job) => done.add(numberOf(job)))));
        requests.push(
          first.api("POST", "/v1/queues/webhooks/jobs/run", { refs: refsOf(delayed.slice(at, at + 10)) }),
        );
      }
      await until(() => done.size >= 40, { what: "the first answers", everyMs: 1 });
      first.signal("SIGKILL");
      await Promise.allSettled(requests);
      await first[Symbol.asyncDispose]();

      await using second = await startExecutable(config);
      const rest = refsOf(await list(second, "delayed"));
      if (rest.length > 0) await second.api("POST", "/v1/queues/webhooks/jobs/run", { refs: rest });
      await second.api("POST", "/v1/queues/webhooks/resume");
      await second.untilIdle();
      const counts = deliveredSince(before);
      expect([...counts.values()].filter((times) => times !== 1)).toEqual([]);
      expect([...done].filter((number) => counts.has(number))).toEqual([]);
      const missing = Array.from({ length: count }, (_, n) => n).filter((n) => !counts.has(n));
      expect(missing.filter((n) => !asked.has(n))).toEqual([]);
      expect(missing.length).toBeGreaterThanOrEqual(done.size);
    },
    120_000,
  );
});
