import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DriverUnavailableError, QueueFullError } from "../../src/errors.ts";
import type { Lease, QueueDriver, Settlement } from "../../src/queue/driver.ts";
import { keyTypes, queueKeys } from "../../src/queue/drivers/redis/keys.ts";
import type { Fault } from "./fault.ts";
import { freshPrefix, newJob, redisDriver, wish } from "../support/redis-driver.ts";
import {
  allScripts,
  commandsOf,
  deniedCommand,
  readOnlyKey,
  refusedBySetting,
  wrongType,
} from "../support/redis-faults.ts";
import { leftKeys } from "../support/redis-load.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

// Finding: with one command refused, or one key of another type, the lease script lost every job it was about to hand out,
// and enqueue swallowed the repetition of a job that it had not written (faults.md A1).

const scripts = await allScripts();
const scriptCommands = [...new Set(scripts.flatMap(commandsOf))].sort();
const opened = new AbortController().signal;
const user = "limited";
let redis: RedisProcess;

beforeAll(async () => {
  redis = await startRedis();
  await redis.client.call("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all");
});
afterAll(() => redis.stop());

/** The call's value; null where Redis refused it in a way that a loop tries again after. */
async function tolerant<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof DriverUnavailableError || error instanceof QueueFullError) return null;
    throw error;
  }
}

const dead = {
  verb: "dead",
  reason: "http_410",
  detail: null,
  endpoint: "app/one",
  attempted: true,
} as const;

/** One of each: what a lease can come to. */
function endings(leases: readonly Lease[]): Settlement[] {
  return leases.map((lease, index): Settlement => {
    switch (index % 6) {
      case 0:
        return { verb: "ack", lease };
      case 1:
        return { verb: "retry", delayMs: 0, lease };
      case 2:
        return { verb: "release", lease };
      case 3:
        return { verb: "park", key: "lane", lease };
      case 4:
        return { ...dead, lease };
      default:
        return { verb: "replace", jobs: [{ id: `${lease.job.id}-c`, body: "c", endpoint: "e" }], lease };
    }
  });
}

const anyPage = { limit: 10, cursor: null, maxBytes: 1_000_000 } as const;

/** Refs of what is parked, and of one job of each other place, to be run and cancelled while the fault stands. */
async function refsOf(driver: QueueDriver): Promise<{ parked: string[]; others: string[] }> {
  const list = async (state: "ready" | "delayed" | "parked") =>
    (await driver.jobs!.page("q", { ...anyPage, limit: 100, state })).items.map(({ ref }) => ref);
  const byPlace = Map.groupBy([...(await list("ready")), ...(await list("delayed"))], (ref) => ref[0]);
  return { parked: await list("parked"), others: [...byPlace.values()].map(([first]) => first!) };
}

/**
 * Puts jobs into every place there is, does everything there is to do while the fault stands, ends it, and takes all out.
 * Every job must come out exactly as often as it was put in.
 */
async function account(prefix: string, fault: Fault): Promise<void> {
  const driver = redisDriver(redis.port, { prefix, username: user, password: "secret", queues: ["q"] });
  await driver.open(opened);
  /** Job → how often it must still come out. */
  const expected = new Map<string, number>();
  const came = new Map<string, number>();
  const names = { next: 0 };
  const fresh = (some: number, kind: string) =>
    Array.from({ length: some }, () => newJob(`${kind}-${(names.next += 1)}`));
  const expectJobs = (ids: readonly string[]): void => {
    for (const id of ids) expected.set(id, (expected.get(id) ?? 0) + 1);
  };
  const put = async (kind: string, some: number, delayMs = 0): Promise<void> => {
    const jobs = fresh(some, kind).map((job) => ({ ...job, delayMs }));
    expect(await driver.enqueue("q", jobs)).toEqual(jobs.map(({ id }) => ({ status: "enqueued", id })));
    expectJobs(jobs.map(({ id }) => id));
  };
  const confirm = (settlement: Settlement): void => {
    const { id } = settlement.lease.job;
    if (settlement.verb === "ack" || settlement.verb === "replace") expected.delete(id);
    if (settlement.verb === "replace") expectJobs(settlement.jobs.map((child) => child.id));
  };
  const settleAll = async (
    driverOfLeases: QueueDriver,
    settlements: readonly Settlement[],
  ): Promise<void> => {
    const results = await driverOfLeases.settle(settlements);
    expect(results).toEqual(settlements.map(() => ({ status: "settled" })));
    for (const settlement of settlements) confirm(settlement);
  };
  try {
    // Every place: dead, parked, children, delayed, leases that have run out, own, ready.
    await put("place", 18);
    await settleAll(driver, endings(await driver.lease("q", wish({ max: 18 }))));
    const { ready } = queueKeys(prefix, "q");
    const pushed = ["pushed-1", "pushed-2", "pushed-3"];
    await redis.client.rpush(ready, ...pushed);
    expectJobs(pushed);
    await put("own", 4);
    await put("delayed", 2, 1);
    // Its holder is gone: these run out while the fault stands.
    const held = await driver.lease("q", wish({ max: 3, leaseMs: 1 }));
    expect(held.length).toBe(3);
    const mine = await driver.lease("q", wish({ max: 6, closedKeys: new Set(["lane"]) }));
    const { parked, others } = await refsOf(driver);
    const settlements = endings(mine);
    let pending: readonly Settlement[] | null = settlements;
    const doubted: { id: string; key: boolean }[] = [];
    const end = await fault.begin();
    try {
      for (let round = 0; round < 3; round += 1) {
        const got = await tolerant(() => driver.lease("q", wish({ max: 4 })));
        if (got !== null) {
          // What does come is put back, so that it is counted once, at the end.
          const back = got.map((lease): Settlement => ({ verb: "release", lease }));
          let given = await tolerant(() => driver.settle(back));
          if (given === null) {
            pending = [...(pending ?? []), ...back];
            given = [];
          }
          for (const result of given) expect(result.status).toBe("settled");
        }
        await tolerant(() => driver.extend(mine, 60_000));
        if (pending !== null && pending.length > 0) {
          const asked: readonly Settlement[] = pending;
          const results = await tolerant(() => driver.settle(asked));
          if (results !== null) {
            for (const result of results) expect(result.status).toBe("settled");
            for (const settlement of asked) confirm(settlement);
            pending = null;
          }
        }
        const job = fresh(1, "tried")[0]!;
        const keyed = { ...fresh(1, "keyed")[0]!, dedup: { key: `key-${names.next}`, fingerprint: "f" } };
        const late = { ...fresh(1, "late")[0]!, delayMs: 1 };
        for (const some of [[job, keyed, late], [keyed]]) {
          const results = await tolerant(() => driver.enqueue("q", some));
          for (const [index, one] of some.entries()) {
            const status = results?.[index]?.status ?? "failed";
            if (status === "enqueued") expectJobs([one.id]);
            else if (status === "failed") doubted.push({ id: one.id, key: one.dedup !== null });
            else expect([status, expected.get(one.id)]).toEqual(["duplicate", 1]);
          }
        }
        await tolerant(() => driver.redrive("q", { max: 1 }));
        const letters = await tolerant(() => driver.deadLetters("q", { limit: 10, cursor: null }));
        const [letter] = letters?.items ?? [];
        if (letter !== undefined) {
          await tolerant(() => driver.redrive("q", { ids: [letter.id] }));
        }
        await tolerant(() => driver.jobs!.page("q", { ...anyPage, state: "ready" }));
        await tolerant(() => driver.jobs!.find("q", ["own-1"]));
        await tolerant(() => driver.jobs!.run("q", parked));
        // All but the first round find them gone, or taken meanwhile.
        for (const outcome of (await tolerant(() => driver.jobs!.cancel("q", others))) ?? []) {
          if (outcome.status === "done") expected.delete(outcome.job.id ?? String(outcome.job.body));
        }
        await tolerant(() => driver.stats("q"));
        await tolerant(async () => driver.deadCounts?.("q"));
        await tolerant(() => driver.pause("q"));
        await tolerant(() => driver.resume("q"));
        await tolerant(async () => driver.shared?.set("mode", `round ${round}`));
      }
    } finally {
      await end();
    }
    await driver.resume("q");
    if (pending !== null) await settleAll(driver, pending);
    // A job that was refused under a key is not swallowed when it is sent again, and is there once.
    for (const { id, key } of doubted) {
      const job = newJob(
        id,
        undefined,
        key ? { dedup: { key: `key-${id.split("-")[1]}`, fingerprint: "f" } } : {},
      );
      if (expected.has(id)) continue;
      expect(await driver.enqueue("q", [job])).toEqual([{ status: "enqueued", id }]);
      expectJobs([id]);
    }
    await driver.shared?.set("mode", "last");
    expect((await driver.shared?.all())?.get("mode")).toBe("last");
    await until(
      async () => {
        await driver.redrive("q", { max: 100 });
        const leases = await driver.lease("q", wish({ max: 100, waitMs: 20 }));
        for (const { job } of leases) {
          const id = String(job.body).startsWith("pushed-") ? String(job.body) : job.id;
          came.set(id, (came.get(id) ?? 0) + 1);
        }
        await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
        return [...expected].every(([id, count]) => (came.get(id) ?? 0) >= count);
      },
      { what: "every job" },
    ).catch(() => undefined);
    expect(await driver.lease("q", wish())).toEqual([]);
    expect(Object.fromEntries(came)).toEqual(Object.fromEntries(expected));
    expect(await driver.stats("q")).toMatchObject({ ready: 0, delayed: 0, leased: 0, parked: 0, dead: 0 });
    // Nothing lies about either that nobody would ever find.
    const left = (await leftKeys(redis.client)).filter((key) => !/:shared$|:dead-counts$/.test(key));
    expect(left).toEqual([]);
  } finally {
    await driver.close();
    await redis.client.flushall();
  }
}

describe("redis refuses a command", () => {
  test("the list of commands is the scripts' own", () => {
    expect(scripts.length).toBeGreaterThan(12);
    expect(scriptCommands).toContainValues(["HSET", "HDEL", "ZADD", "ZREM", "LTRIM", "RPUSH", "SADD", "SET"]);
    // What the start and an examination try is all that the others use, but for PUBLISH, which jobs do without.
    const probe = scripts.find(({ name }) => name === "probe")!;
    const tried = [...probe.source.matchAll(/^probe\('([A-Z]+)'/gm)].map(([, name]) => name as string);
    expect(scriptCommands.filter((name) => !tried.includes(name))).toEqual(["PUBLISH", "TIME", "TYPE"]);
  });

  test.each(["EVALSHA", "BLMOVE", ...scriptCommands])(
    "%s: nothing is lost, nothing comes twice",
    async (command) => {
      await account(freshPrefix(), deniedCommand(redis.client, user, command));
    },
    240_000,
  );
});

describe("redis refuses a key", () => {
  const suffixes = queueKeys("", "q").all.map((key) => key.replace("{queue:q}:", ""));
  const typed = suffixes
    .map((suffix, index) => [suffix, index] as const)
    .filter(([, index]) => keyTypes[index]);

  test.each([...typed, ["parked:lane", -1] as const])(
    "%s is of another type: nothing is lost, nothing comes twice",
    async (_, index) => {
      const prefix = freshPrefix();
      const { all } = queueKeys(prefix, "q");
      await account(prefix, wrongType(redis.client, all[index] ?? `${all[7]}:lane`));
    },
    240_000,
  );

  test("a parked list that may be read only: nothing is lost, nothing comes twice", async () => {
    const prefix = freshPrefix();
    const { all } = queueKeys(prefix, "q");
    await account(
      prefix,
      readOnlyKey(redis.client, user, `${all[7]}:lane`, [...all, `${all[12]}:*`, "*shared"]),
    );
  }, 120_000);

  test.each([
    ["maxmemory", "1", "0"],
    ["min-replicas-to-write", "1", "0"],
  ] as const)(
    "writes are refused because of %s: nothing is lost, nothing comes twice",
    async (setting, value, usual) => {
      await account(freshPrefix(), refusedBySetting(redis.client, setting, value, usual));
    },
    240_000,
  );
});
