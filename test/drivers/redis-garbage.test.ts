import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type { DeadLetter, Lease, QueueDriver } from "../../src/queue/driver.ts";
import { queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import { newJob, redisDriver, wish } from "../support/redis-driver.ts";
import { leftKeys } from "../support/redis-load.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";

// Finding: one dead letter with broken meta made every page 500, and `redrive {max}` fail for ever (faults.md B4).

const opened = new AbortController().signal;
const { all, ready } = queueKeys("sockudo_queue:", "webhooks");
const [, , own, children, delayed, leased, leases] = all;
const [parked, , waiters, dead, deadJobs, dedup, deadCounts] = all.slice(7);
const now = Date.now();
let redis: RedisProcess;
let driver: QueueDriver;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.client.flushall();
});

async function withDriver(use: () => Promise<void>): Promise<void> {
  driver = redisDriver(redis.port);
  await driver.open(opened);
  try {
    await use();
  } finally {
    await driver.close();
  }
}

/** Contents that nobody of ours has written, each with what must come of it: id and body after a redrive. */
const contents: readonly (readonly [what: string, content: string | Buffer, body: string | Uint8Array])[] = [
  ["broken meta", `${now} 3 ${now} job-meta {"reason":\nbody-meta`, "body-meta"],
  ["meta that is a list", `${now} 3 ${now} job-list [1]\nbody-list`, "body-list"],
  ["meta without a reason", `${now} 3 ${now} job-none {}\nbody-none`, "body-none"],
  ["meta of other types", `${now} 3 ${now} job-types {"reason":1,"detail":[],"endpoint":{}}\nb`, "b"],
  ["nested too deep", `${now} 3 ${now} job-deep {"reason":${"[".repeat(3_000)}\nbody-deep`, "body-deep"],
  ["a failing time of 20 digits", `99999999999999999999 3 ${now} job-20 {"reason":"r"}\nbody-20`, "body-20"],
  ["an enqueue time of 20 digits", `${now} 3 99999999999999999999 job-21 {"reason":"r"}\nbody-21`, "body-21"],
  ["20 digits of attempts", `${now} 99999999999999999999 1 job-22 {"reason":"r"}\nbody-22`, "body-22"],
  [
    "times of 400 digits",
    `${"9".repeat(400)} ${"9".repeat(400)} ${"9".repeat(400)} j {"reason":"r"}\nbb`,
    "bb",
  ],
  ["an id that is none", `${now} 3 ${now} a/../<b> {"reason":"r"}\nbody-id`, "body-id"],
  ["an id of 200 characters", `${now} 3 ${now} ${"i".repeat(200)} {"reason":"r"}\nbody-long`, "body-long"],
  ["no line feed", `${now} 3 ${now} job-x {"reason":"r"}`, `${now} 3 ${now} job-x {"reason":"r"}`],
  ["no head", "what is this\n{}", "what is this\n{}"],
  ["nothing", "", ""],
  ["bytes", Buffer.from([0xff, 0xfe, 0x0a, 0x00]), Uint8Array.of(0xff, 0xfe, 0x0a, 0x00)],
  ["a long reason", `${now} 1 ${now} job-r {"reason":"${"r".repeat(5_000)}"}\nbody-r`, "body-r"],
];

async function pages(limit: number): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  let cursor: string | null = null;
  do {
    const page = await driver.deadLetters("webhooks", { limit, cursor });
    letters.push(...page.items);
    cursor = page.cursor;
    expect(letters.length).toBeLessThan(100);
  } while (cursor !== null);
  return letters;
}

async function plantLetters(): Promise<void> {
  for (const [index, [what, content]] of contents.entries()) {
    await redis.client.zadd(dead!, String(now * 1000 + index), what);
    await redis.client.hset(deadJobs!, what, content);
  }
  await redis.client.zadd(dead!, String(now * 1000 + 499), Buffer.from([0xc3, 0x28]));
  await redis.client.hset(deadJobs!, Buffer.from([0xc3, 0x28]), "a name of bytes");
  // A name without content, and contents at times that are none.
  await redis.client.zadd(dead!, String(now * 1000 + 500), "name only");
  for (const [score, name] of [
    ["inf", "at inf"],
    ["-inf", "at -inf"],
    ["1.5", "at 1.5"],
    ["-7", "at -7"],
    ["1e300", "at 1e300"],
  ] as const) {
    await redis.client.zadd(dead!, score, name);
    await redis.client.hset(
      deadJobs!,
      name,
      `${now} 1 ${now} ok {"reason":"r","detail":null,"endpoint":"a/b"}\n${name}`,
    );
  }
}
const planted = contents.length + 7;

describe("dead letters that nobody of ours has written", () => {
  test("are listed, on pages of any size, each with an id and bounded fields", () =>
    withDriver(async () => {
      await plantLetters();
      for (const limit of [1, 2, 5, 100]) {
        const letters = await pages(limit);
        expect(letters.map(({ id }) => id).sort()).toEqual(
          [
            ...contents.map(([what]) => what),
            "name only",
            "bytes:c328",
            "at inf",
            "at -inf",
            "at 1.5",
            "at -7",
            "at 1e300",
          ].sort(),
        );
        for (const { jobId, reason, detail, endpoint, attempts, failedAt, enqueuedAt } of letters) {
          expect(jobId).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
          expect(reason.length).toBeWithin(1, 201);
          expect((detail ?? "").length + (endpoint ?? "").length).toBeLessThan(701);
          expect(attempts).toBeWithin(0, 1e9);
          for (const time of [failedAt, enqueuedAt ?? 0]) {
            expect(new Date(time).toISOString()).not.toBe("");
          }
        }
      }
      const unreadable = (await pages(100)).filter(({ reason }) => reason === "unreadable");
      expect(unreadable.map(({ id }) => id)).toContainValues([
        "broken meta",
        "no head",
        "name only",
        "bytes",
      ]);
    }));

  test("are redriven all together: each becomes a job with its bytes, and none stays in the way", () =>
    withDriver(async () => {
      await plantLetters();
      let redriven = 0;
      for (let round = 0; round < 20; round += 1) redriven += await driver.redrive("webhooks", { max: 3 });
      expect(redriven).toBe(planted - 1);
      expect(await pages(100)).toEqual([]);
      const jobs = (await driver.lease("webhooks", wish({ max: 100 }))).map(({ job }) => job);
      const bodies = jobs.map(({ body }) => Buffer.from(body).toString("latin1"));
      for (const [, , body] of contents) expect(bodies).toContain(Buffer.from(body).toString("latin1"));
      for (const { id, attempts, enqueuedAt } of jobs) {
        expect(id).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
        expect([attempts, Math.abs((enqueuedAt ?? 0) - Date.now()) < 60_000]).toEqual([0, true]);
      }
      expect(await redis.client.exists(dead!, deadJobs!)).toBe(0);
    }));

  test("are redriven by id, and removed by id", () =>
    withDriver(async () => {
      for (const what of ["redrive", "remove"] as const) {
        await plantLetters();
        for (const { id } of await pages(100)) {
          if (what === "remove") expect([id, await driver.removeDead("webhooks", id)]).toEqual([id, true]);
          else {
            const expected = id === "name only" ? 0 : 1;
            expect([id, await driver.redrive("webhooks", { ids: [id] })]).toEqual([id, expected]);
          }
        }
        expect(await pages(100)).toEqual([]);
        expect(await redis.client.exists(dead!, deadJobs!)).toBe(0);
      }
    }));

  test("do not disturb the time of those that come later, nor their counts", () =>
    withDriver(async () => {
      await plantLetters();
      await redis.client.hset(deadCounts!, { at: "what", n: "-5", bytes: "x", "=a/b\nr": "y", junk: "z" });
      await driver.enqueue("webhooks", [newJob("late")]);
      const [lease] = await driver.lease("webhooks", wish());
      const settlement = {
        verb: "dead",
        reason: "http_404",
        detail: null,
        endpoint: "a/b",
        attempted: true,
      } as const;
      expect(await driver.settle([{ ...settlement, lease: lease! }])).toEqual([{ status: "settled" }]);
      const score = Number(await redis.client.zscore(dead!, "late"));
      expect(Math.abs(score / 1000 - Date.now())).toBeLessThan(60_000);
      expect((await driver.deadCounts?.("webhooks"))?.complete).toBe(false);
      expect(await driver.removeDead("webhooks", "late")).toBe(true);
    }));
});

describe("records and marks that nobody of ours has written", () => {
  const records = [
    "no record at all",
    "",
    "a b\nbody",
    `uid 99999999999999999999 ${now} id-1\nbody-1`,
    `uid 1 99999999999999999999 id-2\nbody-2`,
    `uid -1 -1 id-3\nbody-3`,
    `uid 1 ${now} an/id\nbody-4`,
    `uid 1 ${now} ${"i".repeat(2_000)}\nbody-5`,
    `uid 1 1e9 id-6\nbody-6`,
  ];

  test("come out as jobs, and end as any other", () =>
    withDriver(async () => {
      await redis.client.rpush(own!, ...records);
      await redis.client.rpush(children!, ...records);
      for (const record of records) await redis.client.zadd(delayed!, "-inf", record);
      await redis.client.sadd(parked!, "lane", "empty lane", "");
      await redis.client.rpush(`${parked}:lane`, ...records);
      await redis.client.rpush(ready, "", "\0", "x".repeat(100));
      for (const [index, record] of records.entries()) {
        await redis.client.hset(leased!, `token-${index}`, record);
        await redis.client.zadd(leases!, "-inf", `token-${index}`);
      }
      await redis.client.zadd(leases!, "-inf", "an end without a lease", "1", "another");
      await redis.client.zadd(waiters!, "inf", "nobody", "1", "");
      expect((await driver.stats("webhooks")).ready).toBeGreaterThan(30);
      const takeAll = async (): Promise<Lease[]> => {
        const held: Lease[] = [];
        for (;;) {
          const some = await driver.lease("webhooks", wish({ max: 7 }));
          if (some.length === 0) return held;
          held.push(...some);
        }
      };
      const taken = await takeAll();
      expect(taken.length).toBe(records.length * 5 + 3);
      // Each way on keeps what can be told.
      await driver.settle(
        taken.map((lease, index) =>
          index % 2 === 0 ? { verb: "retry", delayMs: 0, lease } : { verb: "park", key: "lane", lease },
        ),
      );
      const again = await takeAll();
      expect(again.length).toBe(taken.length);
      for (const { job } of [...taken, ...again]) {
        expect(job.id).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
        expect(job.attempts).toBeWithin(0, 1e9 + 2);
        expect(new Date(job.enqueuedAt ?? 0).toISOString()).not.toBe("");
      }
      const sorted = (some: readonly Lease[]): string[] => some.map(({ job }) => String(job.body)).sort();
      expect(sorted(again)).toEqual(sorted(taken));
      await driver.settle(again.map((lease) => ({ verb: "release", lease })));
      const bodies = new Set(taken.map(({ job }) => String(job.body)));
      for (const body of ["no record at all", "", "a b\nbody", "body-1", "body-2", "body-4", "\0"]) {
        expect([body, bodies.has(body)]).toEqual([body, true]);
      }
      const end = { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: false } as const;
      for (;;) {
        const held = await driver.lease("webhooks", wish({ max: 100 }));
        if (held.length === 0) break;
        const results = await driver.settle(held.map((lease) => ({ ...end, lease })));
        expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["settled"]));
      }
      expect((await driver.stats("webhooks")).dead).toBe(records.length * 5 + 3);
      expect(await driver.redrive("webhooks", { max: 1_000 })).toBe(records.length * 5 + 3);
      const last = await driver.lease("webhooks", wish({ max: 500 }));
      await driver.settle(last.map((lease) => ({ verb: "ack", lease })));
      expect(await leftKeys(redis.client)).toEqual([]);
    }));

  test("a mark of deduplication that cannot be read does not stop the job, and is replaced", () =>
    withDriver(async () => {
      await redis.client.set(`${dedup}:text`, "nothing");
      await redis.client.set(`${dedup}:spaces`, " <b> x");
      await redis.client.set(`${dedup}:empty`, "");
      await redis.client.rpush(`${dedup}:list`, "x");
      for (const key of ["text", "spaces", "empty", "list"]) {
        const job = newJob(key, "{}", { dedup: { key, fingerprint: "f" } });
        expect(await driver.enqueue("webhooks", [job])).toEqual([{ status: "enqueued", id: key }]);
        expect(await driver.enqueue("webhooks", [job])).toEqual([{ status: "duplicate", id: key }]);
      }
    }));

  test("messages on the channels that are no due time do not keep a waiting process busy", () =>
    withDriver(async () => {
      const leasing = driver.lease("webhooks", wish({ waitMs: 1_500 }));
      for (let round = 0; round < 20; round += 1) {
        const channels = (await redis.client.call("PUBSUB", "CHANNELS", "*waiters:*")) as string[];
        for (const channel of channels) {
          for (const text of ["soon", "NaN", "-1e999", "{}"]) await redis.client.publish(channel, text);
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const calls = async (): Promise<number> =>
        Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info("commandstats"))?.[1]);
      const before = await calls();
      expect(await leasing).toEqual([]);
      expect((await calls()) - before).toBeLessThan(20);
    }));

  test("equal ids that died thousands of times are told apart without a long search", () =>
    withDriver(async () => {
      const dying = { verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true } as const;
      for (let round = 0; round < 6; round += 1) {
        await driver.enqueue(
          "webhooks",
          Array.from({ length: 500 }, () => newJob("same")),
        );
        const held = await driver.lease("webhooks", wish({ max: 500 }));
        expect(held.length).toBe(500);
        await driver.settle(held.map((lease) => ({ ...dying, lease })));
      }
      const names = await redis.client.zrange(dead!, "0", "-1");
      expect(new Set(names).size).toBe(3_000);
      expect(names).toContainValues(["same", "same.2", "same.3000"]);
      const { usec, calls } = /cmdstat_hexists:calls=(?<calls>\d+),usec=(?<usec>\d+)/.exec(
        await redis.client.info("commandstats"),
      )!.groups as { usec: string; calls: string };
      expect(Number(usec)).toBeGreaterThan(0);
      expect(Number(calls)).toBeLessThan(3_000 * 30);
    }));
});
