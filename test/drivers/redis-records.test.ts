import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { DriverUnavailableError } from "../../src/errors.ts";
import { recordKeys } from "../../src/queue/drivers/redis/keys.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { readRecordsScript, writeRecordScript } from "../../src/queue/drivers/redis/record-scripts.ts";
import { tombstoneMs } from "../../src/queue/records.ts";
import { clusterOf, freshPrefix, redisDriver } from "../support/redis-driver.ts";
import { commandsOf, deniedCommand, readOnlyKey, wrongType } from "../support/redis-faults.ts";
import { startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import type { Fault } from "./fault.ts";
import { bytesOf, claimRecords, everything, openRecords, put } from "./record-claims.ts";
import type { RecordProcess } from "./record-claims.ts";

let single: RedisProcess;
let cluster: RedisProcess;
const user = "limited";

beforeAll(async () => {
  [single, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
  await single.client.call("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all");
});
afterAll(async () => {
  await Promise.all([single.stop(), cluster.stop()]);
});

function processOf(port: number, options: Partial<RedisDriverOptions>): RecordProcess {
  const driver = redisDriver(port, options);
  return {
    records: driver.records!,
    open: () => driver.open(new AbortController().signal),
    close: () => driver.close(),
  };
}

const keyAt = (prefix: string, at: number): string => recordKeys(prefix).all[at] as string;

claimRecords(
  "redis",
  () => {
    const prefix = freshPrefix();
    return () => processOf(single.port, { prefix });
  },
  true,
);
claimRecords(
  "redis-cluster",
  () => {
    const prefix = freshPrefix();
    return () => processOf(cluster.port, { ...clusterOf(cluster.port), prefix });
  },
  true,
);

test("the keys stand in one slot, apart from every queue's and from what else is shared", () => {
  expect(recordKeys("sockudo_queue:").all).toEqual([
    "{sockudo_queue:hookline}:records",
    "{sockudo_queue:hookline}:records:revisions",
    "{sockudo_queue:hookline}:records:removed",
  ]);
  expect(recordKeys("{mine}:").values).toBe("{mine}:hookline:records");
});

test("a key that holds something else fails the calls that need it, and not the start", async () => {
  for (const which of [0, 1, 2]) {
    const prefix = freshPrefix();
    await single.client.set(keyAt(prefix, which), "text");
    await using one = await openRecords(processOf(single.port, { prefix }));
    const refusal = await one.records.write("a", bytesOf("1"), 0).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DriverUnavailableError);
    expect(String(refusal)).toContain("WRONGTYPE");
    await single.client.del(keyAt(prefix, which));
    await put(one.records, "a", "1");
  }
});

test("tombstones go after seven days", async () => {
  const prefix = freshPrefix();
  const keys = recordKeys(prefix);
  await using one = await openRecords(processOf(single.port, { prefix }));
  const removed = keys.all[2] as string;
  await single.client.zadd(removed, (Date.now() - tombstoneMs - 60_000) * 1_000, "app:old");
  await single.client.zadd(removed, (Date.now() - tombstoneMs + 60_000) * 1_000, "app:younger");
  await put(one.records, "app:a", "1");
  expect(await everything(one.records)).toEqual({ "app:younger": null, "app:a": "1" });
});

test("what Redis has forgotten is told as lost, and found", async () => {
  await using redis = await startRedis();
  await using one = await openRecords(processOf(redis.port, { prefix: freshPrefix() }));
  const revision = await put(one.records, "a", "1");
  const lost = (): number => one.told.filter((why) => why === "lost").length;
  const before = lost();
  await redis.kill();
  await redis.restart();
  await until(() => lost() > before, { what: "the loss to be told", timeoutMs: 20_000 });
  await until(
    async () => (await one.records.revisions().catch(() => new Map([["a", revision]]))).size === 0,
    { what: "the records to be gone", timeoutMs: 20_000 },
  );
  expect((await one.records.changes(revision, 10)).revision).toBe(0);
}, 60_000);

test("with memory full a record is refused before anything has changed, and removing works", async () => {
  await using redis = await startRedis();
  await using one = await openRecords(processOf(redis.port, { prefix: freshPrefix() }));
  const revision = await put(one.records, "a", "1");
  await redis.client.set("ballast", "x".repeat(3_000_000));
  await redis.client.config("SET", "maxmemory", "1mb");
  const refusal = await one.records.write("b", bytesOf("2"), revision).catch((error: unknown) => error);
  expect(String(refusal)).toContain("memory");
  expect(await one.records.changes(revision, 10)).toEqual({ records: [], revision, more: false });
  await put(one.records, "a", null);
  expect(await everything(one.records)).toEqual({ a: null });
});

describe("a call that fails leaves each record as it was or as it was to be", () => {
  const kinds: [name: string, make: (prefix: string) => Fault][] = [
    ...[...new Set([writeRecordScript, readRecordsScript].flatMap(commandsOf))]
      .sort()
      .map((command): [string, () => Fault] => [
        `${command} is denied`,
        () => deniedCommand(single.client, user, command),
      ]),
    ...["values", "revisions", "tombstones"].flatMap((what, at): [string, (prefix: string) => Fault][] => [
      [`the key of the ${what} is a text`, (prefix) => wrongType(single.client, keyAt(prefix, at))],
      [
        `the key of the ${what} may be read only`,
        (prefix) => {
          const others = recordKeys(prefix).all.filter((_, other) => other !== at);
          return readOnlyKey(single.client, user, keyAt(prefix, at), [...others, "*queue*", "*shared"]);
        },
      ],
    ]),
  ];

  test.each(kinds)("%s", async (_name, faultOf) => {
    const prefix = freshPrefix();
    const process = processOf(single.port, { prefix, username: user, password: "secret" });
    await using one = await openRecords(process);
    await put(one.records, "kept", "1");
    await put(one.records, "changed", "old");
    await put(one.records, "removed", "old");
    const end = await faultOf(prefix).begin();
    /** Null when it failed in a way that is to be tried again. */
    const tolerant = async (call: () => Promise<unknown>): Promise<unknown> => {
      try {
        return await call();
      } catch (error) {
        if (error instanceof DriverUnavailableError) return null;
        throw error;
      }
    };
    try {
      await tolerant(() => put(one.records, "changed", "new"));
      await tolerant(() => put(one.records, "removed", null));
      await tolerant(() => put(one.records, "added", "new"));
      await tolerant(() => everything(one.records));
      await tolerant(() => one.records.revisions());
    } finally {
      await end();
    }
    const found = await everything(one.records);
    expect(found["kept"]).toBe("1");
    expect(["old", "new"]).toContain(found["changed"] as string);
    expect(["old", null]).toContain(found["removed"] as string);
    expect(["new", null, undefined]).toContain(found["added"]);
    for (const key of ["changed", "removed", "added"]) await put(one.records, key, "last");
    await put(one.records, "kept", null);
    expect(await everything(one.records)).toEqual({
      kept: null,
      changed: "last",
      removed: "last",
      added: "last",
    });
  });
});
