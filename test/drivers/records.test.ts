import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../src/clock.ts";
import { systemClock } from "../../src/clock.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { createMemoryDriver } from "../../src/queue/drivers/memory/driver.ts";
import { salvageStore } from "../../src/queue/drivers/file/salvage.ts";
import { surveyStore } from "../../src/queue/drivers/file/survey.ts";
import { realFiles } from "../../src/queue/drivers/file/files.ts";
import { createLocalRecords, forgetfulKeeper } from "../../src/queue/local-records.ts";
import { tombstoneMs } from "../../src/queue/records.ts";
import { fileDriver, temporaryFolder } from "../support/file-driver.ts";
import { newJob, wish } from "../support/redis-driver.ts";
import { until } from "../support/until.ts";
import { claimRecords, everything, openRecords, put } from "./record-claims.ts";
import type { RecordProcess } from "./record-claims.ts";

const opened = new AbortController().signal;

function processOf(driver: QueueDriver, end: () => void = () => undefined): RecordProcess {
  return {
    records: driver.records!,
    open: () => driver.open(opened),
    async close() {
      await driver.close();
      end();
    },
  };
}

claimRecords(
  "memory",
  () => () =>
    processOf(
      createMemoryDriver({
        queues: ["q"],
        capacity: 10,
        whenFull: "reject",
        deadLetterRetention: null,
        deduplicationTtlMs: 1,
        clock: systemClock,
        events: { evicted: () => undefined, trimmed: () => undefined, reclaimed: () => undefined },
      }),
    ),
  false,
);

claimRecords(
  "file",
  () => () => {
    const folder = temporaryFolder();
    return processOf(fileDriver(folder.path), () => folder[Symbol.dispose]());
  },
  false,
);

test("tombstones go after seven days, and the revisions go on from the highest", async () => {
  let now = 1_800_000_000_000;
  const clock: Clock = { ...systemClock, now: () => now };
  const records = createLocalRecords(clock, forgetfulKeeper);
  await put(records, "a", "1");
  await put(records, "a", null);
  const last = await put(records, "b", null);
  now += tombstoneMs + 1;
  const next = await put(records, "c", "1");
  expect(await everything(records)).toEqual({ c: "1" });
  now -= 365 * 24 * 3_600_000;
  expect(await put(records, "c", "2")).toBe(next + 1);
  expect(next).toBeGreaterThan(last);
});

test("the file store has its records again after a restart, tombstones and revisions too", async () => {
  using folder = temporaryFolder();
  let last = 0;
  {
    await using one = await openRecords(processOf(fileDriver(folder.path)));
    await put(one.records, "app:a", "1");
    await put(one.records, "app:a", "2");
    await put(one.records, "app:b", "1");
    last = await put(one.records, "app:b", null);
  }
  for (let round = 0; round < 2; round += 1) {
    await using again = await openRecords(processOf(fileDriver(folder.path)));
    expect(await everything(again.records)).toEqual({ "app:a": "2", "app:b": null });
    expect((await again.records.changes(0, 1)).revision).toBe(last);
  }
});

test("what the file store holds outlives the segment that it was written in", async () => {
  using folder = temporaryFolder();
  const small = { segmentBytes: 64 * 1024, slackBytes: 64 * 1024 };
  const segments = (): string[] => readdirSync(join(folder.path, "journal"));
  {
    const driver = fileDriver(folder.path, small);
    await using one = await openRecords(processOf(driver));
    await put(one.records, "app:kept", "worth keeping");
    await put(one.records, "app:changed", "old");
    await put(one.records, "app:changed", "new");
    await put(one.records, "app:gone", "x");
    await put(one.records, "app:gone", null);
    const [first] = segments();
    await until(
      async () => {
        const jobs = Array.from({ length: 20 }, (_, n) => newJob(`job-${n}`, "x".repeat(1_000)));
        await driver.enqueue("q", jobs);
        const leases = await driver.lease("q", wish({ max: 20 }));
        await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
        return !segments().includes(first as string);
      },
      { what: "the first segment to go", timeoutMs: 30_000 },
    );
    expect(await everything(one.records)).toEqual({
      "app:kept": "worth keeping",
      "app:changed": "new",
      "app:gone": null,
    });
  }
  await using again = await openRecords(processOf(fileDriver(folder.path, small)));
  expect(await everything(again.records)).toEqual({
    "app:kept": "worth keeping",
    "app:changed": "new",
    "app:gone": null,
  });
});

test("a salvaged store holds what the damaged one held", async () => {
  using folder = temporaryFolder();
  using other = temporaryFolder();
  {
    await using one = await openRecords(processOf(fileDriver(folder.path)));
    await put(one.records, "app:a", "1");
    await put(one.records, "app:b", "1");
    await put(one.records, "app:b", null);
  }
  const survey = await surveyStore(folder.path, realFiles);
  await salvageStore(survey, other.path, realFiles, false);
  await survey.close();
  await using again = await openRecords(processOf(fileDriver(other.path)));
  expect(await everything(again.records)).toEqual({ "app:a": "1", "app:b": null });
  expect(readFileSync(join(other.path, "store.json"), "utf8")).not.toBe(
    readFileSync(join(folder.path, "store.json"), "utf8"),
  );
});
