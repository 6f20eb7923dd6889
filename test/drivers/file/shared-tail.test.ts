import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { realFiles } from "../../../src/queue/drivers/file/files.ts";
import type { FileDriverOptions } from "../../../src/queue/drivers/file/driver.ts";
import { salvageStore } from "../../../src/queue/drivers/file/salvage.ts";
import { surveyStore } from "../../../src/queue/drivers/file/survey.ts";
import type { Lease, QueueDriver } from "../../../src/queue/driver.ts";
import { deadly, job } from "../conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../../support/file-driver.ts";
import { until } from "../../support/until.ts";

const children = 1_000;
const tail = `,"payload":{"x":"${"äß€".repeat(4_000)}"}}`;
const tailBytes = Buffer.byteLength(tail);
const head = (n: number): string => `{"n":${n}`;
const bodyOf = (n: number): string => head(n) + tail;
const closed = new Set(["app/down"]);
const bytesOf = (path: string): number =>
  readdirSync(join(path, "journal")).reduce(
    (sum, name) => sum + statSync(join(path, "journal", name)).size,
    0,
  );

/** One event for a thousand endpoints: every third child is parked, every fifth is dead, every seventh waits to be retried. */
async function fanOut(driver: QueueDriver): Promise<void> {
  await driver.enqueue("q", [job(bodyOf(-1), { id: "parent" })]);
  const [lease] = await leaseFrom(driver);
  const jobs = Array.from({ length: children }, (_, n) => ({
    id: `child-${n}`,
    body: bodyOf(n),
    head: head(n),
    endpoint: `app/${n % 7}`,
  }));
  await driver.settle([{ verb: "replace", jobs, tail, lease: lease! }]);
}

async function settleSome(driver: QueueDriver): Promise<void> {
  const leases = await leaseFrom(driver, { max: children });
  expect(leases.map(({ job: { id, body } }) => [id, body])).toEqual(
    Array.from({ length: children }, (_, n) => [`child-${n}`, bodyOf(n)]),
  );
  const settle = (lease: Lease, n: number) => {
    if (n % 3 === 0) return { verb: "park", key: "app/down", lease } as const;
    if (n % 5 === 0) return { ...deadly(), lease } as const;
    if (n % 7 === 0) return { verb: "retry", delayMs: 3_600_000, endpoint: "app/x", lease } as const;
    return n % 11 === 0 ? null : ({ verb: "ack", lease } as const);
  };
  await driver.settle(leases.flatMap((lease, n) => settle(lease, n) ?? []));
}

async function expectSettled(driver: QueueDriver): Promise<void> {
  const numbers = Array.from({ length: children }, (_, n) => n);
  const parked = numbers.filter((n) => n % 3 === 0);
  const dead = numbers.filter((n) => n % 3 !== 0 && n % 5 === 0);
  const retried = numbers.filter((n) => n % 3 !== 0 && n % 5 !== 0 && n % 7 === 0);
  const held = numbers.filter((n) => n % 3 !== 0 && n % 5 !== 0 && n % 7 !== 0 && n % 11 === 0);
  expect(await driver.stats("q")).toMatchObject({ delayed: retried.length, dead: dead.length });
  const letters = (await driver.deadLetters("q", { limit: 1_000, cursor: null })).items;
  expect(new Map(letters.map(({ id, body }) => [id, body]))).toEqual(
    new Map(dead.map((n) => [`child-${n}`, bodyOf(n)])),
  );
  const ready = await leaseFrom(driver, { max: children, closedKeys: closed });
  expect(new Map(ready.map((lease) => [lease.job.id, lease.job.body]))).toEqual(
    new Map(held.map((n) => [`child-${n}`, bodyOf(n)])),
  );
  expect(ready.every(({ job: { attempts } }) => attempts === 1)).toBe(true);
  const waiting = await leaseFrom(driver, { max: children, parkedMax: children });
  expect(waiting.map((lease) => [lease.job.id, lease.job.body, lease.job.attempts])).toEqual(
    parked.map((n) => [`child-${n}`, bodyOf(n), 0]),
  );
}

test("an event for a thousand endpoints is stored once, and every child has its bytes: at once, from disk, salvaged", async () => {
  using folder = temporaryFolder();
  using target = temporaryFolder();
  const driver = await openDriver(folder.path);
  await fanOut(driver);
  // The parent's own bytes, the tail once more, and a thousand heads.
  expect(bytesOf(folder.path)).toBeLessThan(2 * tailBytes + children * 250);
  await settleSome(driver);
  await driver.close();
  const again = await openDriver(folder.path);
  await expectSettled(again);
  await again.close();
  const survey = await surveyStore(folder.path, realFiles);
  expect(survey.damages).toEqual([]);
  const counts = await salvageStore(survey, target.path, realFiles, true);
  await survey.close();
  expect(counts.dead).toBe(133);
  expect(bytesOf(target.path)).toBeLessThan(tailBytes + children * 250);
  const salvaged = await openDriver(target.path);
  expect(
    (await leaseFrom(salvaged, { max: children, parkedMax: children })).map(({ job: { body } }) => body),
  ).toContain(bodyOf(3));
  await salvaged.close();
});

test("cleaning moves children with one tail, whatever became of each, and the room they keep is counted", async () => {
  const small: Partial<FileDriverOptions> = { segmentBytes: 256 * 1024, slackBytes: 0 };
  using folder = temporaryFolder();
  const driver = await openDriver(folder.path, small);
  await fanOut(driver);
  const planted = readdirSync(join(folder.path, "journal"));
  await settleSome(driver);
  const isMoved = async (): Promise<boolean> => {
    const filler = Array.from({ length: 20 }, () => job("x".repeat(8_000)));
    await driver.enqueue("q", filler);
    const leases = await leaseFrom(driver, { closedKeys: closed });
    await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
    return !readdirSync(join(folder.path, "journal")).some((name) => planted.includes(name));
  };
  await until(isMoved, { what: "the first segments to go" });
  await until(
    async () => (await isMoved()) && bytesOf(folder.path) < 4 * (tailBytes + children * 250) + 600_000,
    {
      what: "a bounded store",
    },
  );
  await driver.close();
  const again = await openDriver(folder.path, small);
  await expectSettled(again);
  await again.close();
}, 240_000);
