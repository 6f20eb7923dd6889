import { describe, expect, test } from "bun:test";
import { cpSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "../../../src/log.ts";
import { realFiles } from "../../../src/queue/drivers/file/files.ts";
import type { Files } from "../../../src/queue/drivers/file/files.ts";
import type { FileDriverOptions } from "../../../src/queue/drivers/file/driver.ts";
import type { Lease, QueueDriver } from "../../../src/queue/driver.ts";
import { deadly, job } from "../conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../../support/file-driver.ts";
import { until } from "../../support/until.ts";

const filler = "x".repeat(200);
/** A logger that turns what only an operator would see into a failure. */
const strictLog = {
  ...silentLogger,
  error(message: string, fields?: object): void {
    throw new Error(`${message} ${JSON.stringify(fields)}`);
  },
};
const small: Partial<FileDriverOptions> = { segmentBytes: 8 * 1024, slackBytes: 0, log: strictLog };

const segmentsOf = (path: string): string[] => readdirSync(join(path, "journal")).sort();
const bytesOf = (path: string): number =>
  segmentsOf(path).reduce((sum, name) => sum + statSync(join(path, "journal", name)).size, 0);

/** Enqueues, leases and acks so many jobs. */
async function churn(driver: QueueDriver, count: number, name: string): Promise<void> {
  for (let n = 0; n < count; n += 10) {
    await driver.enqueue(
      "q",
      Array.from({ length: 10 }, (_, index) =>
        job(`${name}-${n + index}-${filler}`, { id: `${name}-${n + index}` }),
      ),
    );
    const leases = await leaseFrom(driver, { max: 10, closedKeys: new Set(["app/down"]) });
    await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
  }
}

/** Jobs that stay: one of each kind, their ids and bodies. */
async function plant(driver: QueueDriver): Promise<void> {
  const ids = ["retried", "parked", "dead", "parent", "rewritten", "redriven"];
  await driver.enqueue(
    "q",
    ids.map((id) => job(`${id} ${filler}`, { id, dedup: { key: id, fingerprint: id } })),
  );
  const leases = new Map((await leaseFrom(driver)).map((lease) => [lease.job.id, lease]));
  const of = (id: string): Lease => leases.get(id)!;
  await driver.settle([
    { verb: "retry", delayMs: 3_600_000, endpoint: "app/x", lease: of("retried") },
    { verb: "park", key: "app/down", lease: of("parked") },
    { ...deadly(), lease: of("dead") },
    {
      verb: "replace",
      jobs: ["child-1", "child-2"].map((id) => ({ id, body: `${id} ${filler}`, endpoint: "app/down" })),
      lease: of("parent"),
    },
    { verb: "park", key: "app/down", body: `new body ${filler}`, lease: of("rewritten") },
    { ...deadly(), lease: of("redriven") },
  ]);
  await driver.redrive("q", { ids: ["redriven"] });
  // What is ready would be acked by the churn.
  const ready = await leaseFrom(driver, { closedKeys: new Set(["app/down"]) });
  await driver.settle(ready.map((lease) => ({ verb: "park", key: "app/down", lease })));
  await driver.enqueue("q", [job(`delayed ${filler}`, { id: "delayed", delayMs: 3_600_000 })]);
}

async function expectPlanted(driver: QueueDriver): Promise<void> {
  expect(await driver.stats("q")).toMatchObject({ ready: 0, delayed: 2, parked: 5, dead: 1, leased: 0 });
  const parked = await leaseFrom(driver);
  expect(
    parked.map(({ job: { id, body, attempts } }) => [id, String(body).split(" x")[0], attempts]),
  ).toEqual([
    ["parked", "parked", 0],
    ["rewritten", "new body", 0],
    ["child-1", "child-1", 0],
    ["child-2", "child-2", 0],
    ["redriven", "redriven", 0],
  ]);
  const [letter] = (await driver.deadLetters("q", { limit: 10, cursor: null })).items;
  expect([letter?.id, letter?.attempts, letter?.body]).toEqual(["dead", 1, `dead ${filler}`]);
  const again = await driver.enqueue("q", [
    job("x", { id: "dead", dedup: { key: "dead", fingerprint: "dead" } }),
  ]);
  expect(again[0]?.status).toBe("duplicate");
}

describe("cleaning", () => {
  test("removes what is over, and keeps what lives: in every state, with its bytes, also over a restart", async () => {
    using folder = temporaryFolder();
    const driver = await openDriver(folder.path, small);
    await plant(driver);
    const planted = segmentsOf(folder.path);
    await churn(driver, 400, "a");
    await until(() => !segmentsOf(folder.path).some((name) => planted.includes(name)), {
      what: "the old segments to go",
    });
    await churn(driver, 400, "b");
    await until(() => bytesOf(folder.path) < 60_000, { what: "a small store" });
    await driver.close();
    const reopened = await openDriver(folder.path, small);
    await expectPlanted(reopened);
    await reopened.close();
  });

  test("one stuck job in a hundred leaves the disk bounded", async () => {
    using folder = temporaryFolder();
    const driver = await openDriver(folder.path, small);
    for (let round = 0; round < 20; round += 1) {
      await driver.enqueue("q", [job(`stuck ${filler}`)]);
      const leases = await leaseFrom(driver, { closedKeys: new Set(["app/down"]) });
      await driver.settle(leases.map((lease) => ({ verb: "park", key: "app/down", lease })));
      await churn(driver, 100, `round-${round}`);
    }
    // 20 stuck jobs of 300 bytes; 2,000 others came and went.
    await until(() => bytesOf(folder.path) < 5 * 20 * 400 + 4 * 8 * 1024, { what: "a bounded store" });
    expect(await driver.stats("q")).toMatchObject({ parked: 20, ready: 0 });
    await driver.close();
  });

  // The copies are what a SIGKILL at that call leaves, cleaning and its steps among them.
  test("a process killed at any call to its files: nothing that was acked comes back, nothing kept is lost", async () => {
    using folder = temporaryFolder();
    using copies = temporaryFolder();
    let calls = 0;
    const kept: string[] = [];
    const copying =
      <Args extends readonly unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
      (...args: Args): Promise<Result> => {
        calls += 1;
        if (calls % 23 === 0 && kept.length < 40) {
          const copy = join(copies.path, String(calls));
          cpSync(join(folder.path, "journal"), join(copy, "journal"), { recursive: true });
          cpSync(join(folder.path, "store.json"), join(copy, "store.json"));
          kept.push(copy);
        }
        return call(...args);
      };
    const files: Files = {
      ...realFiles,
      write: copying((...args) => realFiles.write(...args)),
      sync: copying((...args) => realFiles.sync(...args)),
      remove: copying((...args) => realFiles.remove(...args)),
      syncFolder: copying((...args) => realFiles.syncFolder(...args)),
    };
    const driver = await openDriver(folder.path, { ...small, files });
    await plant(driver);
    kept.length = 0;
    await churn(driver, 600, "a");
    await driver.close();
    expect(kept.length).toBeGreaterThan(10);
    for (const copy of kept) {
      const after = await openDriver(copy, small);
      const { leased, dead } = await after.stats("q");
      expect([copy, leased, dead]).toEqual([copy, 0, 1]);
      // What the churn had enqueued or leased at that moment, and not acked: one batch at most.
      const ready = await leaseFrom(after, { closedKeys: new Set(["app/down"]), max: 1_000 });
      expect(ready.length).toBeLessThanOrEqual(10);
      await after.settle(ready.map((lease) => ({ verb: "ack", lease })));
      await expectPlanted(after);
      await after.close();
    }
  }, 240_000);
});
