import { describe, expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/clock.ts";
import { ConfigError } from "../../../src/errors.ts";
import type { QueueDriver } from "../../../src/queue/driver.ts";
import { deadly, job } from "../conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../../support/file-driver.ts";

const root = join(import.meta.dir, "..", "..", "..");
const deno = [join(root, "node_modules", ".bin", "deno"), "run", "-A"];

/** What an open is refused with. */
function refusal(opening: Promise<QueueDriver>): Promise<string> {
  return opening.then(
    async (driver) => {
      await driver.close();
      return "not refused";
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(ConfigError);
      return String(error);
    },
  );
}

/** Opens a store in a process of another runtime; returns what it prints. */
async function openElsewhere(command: readonly string[], path: string): Promise<string> {
  const script = join(root, "test", "support", "open-store.ts");
  const child = Bun.spawn([...command, script, path], { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return out === "" ? err : out;
}

describe("one process at a time", () => {
  test("Bun and Deno refuse what the other has, and open what it had", async () => {
    using folder = temporaryFolder();
    const driver = await openDriver(folder.path);
    await driver.enqueue("q", [job("kept")]);
    for (const command of [[process.execPath], deno]) {
      expect(await openElsewhere(command, folder.path)).toContain(`in use by pid ${process.pid}`);
    }
    expect(await refusal(openDriver(folder.path))).toContain("in use by");
    await driver.close();
    expect(await openElsewhere(deno, folder.path)).toContain('"ready":1');
    const again = await openDriver(folder.path);
    expect((await again.stats("q")).ready).toBe(1);
    await again.close();
  }, 240_000);

  test("the lock holds under pressure of the garbage collector", async () => {
    using folder = temporaryFolder();
    const driver = await openDriver(folder.path);
    const end = performance.now() + (process.env["HOOKLINE_LONG"] === "1" ? 10_000 : 1_500);
    let refused = 0;
    while (performance.now() < end) {
      const garbage = Array.from({ length: 20_000 }, (_, n) => ({ n, text: `${n}` }));
      expect(garbage.length).toBe(20_000);
      Bun.gc(true);
      if (refused * 500 < performance.now()) {
        expect(await refusal(openDriver(folder.path))).toContain("in use");
        refused += 1;
      }
    }
    expect(await openElsewhere([process.execPath], folder.path)).toContain("in use");
    await driver.close();
  }, 240_000);
});

describe("what cannot be used is refused by name", () => {
  test.skipIf(process.getuid?.() === 0)("a folder without the right to write", async () => {
    using folder = temporaryFolder();
    chmodSync(folder.path, 0o500);
    expect(await refusal(openDriver(join(folder.path, "store")))).toContain(folder.path);
    chmodSync(folder.path, 0o700);
  });

  test("a path that is a file", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "file");
    writeFileSync(path, "");
    expect(await refusal(openDriver(path))).toContain(path);
    expect(await refusal(openDriver(join(path, "store")))).toContain(path);
  });

  test("the store is for its owner alone", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "store");
    await (await openDriver(path)).close();
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(statSync(join(path, "owner")).mode & 0o777).toBe(0o600);
  });
});

test("a clock that was set by a day over a restart delays nobody for longer than was asked", async () => {
  for (const shift of [-86_400_000, 86_400_000]) {
    using folder = temporaryFolder();
    const before = await openDriver(folder.path);
    await before.enqueue("q", [
      job("delayed", { id: "delayed", delayMs: 60_000 }),
      job("keyed", { id: "keyed", dedup: { key: "keyed", fingerprint: "f" } }),
      job("dead", { id: "dead" }),
    ]);
    const leases = await leaseFrom(before);
    await before.settle([
      { verb: "retry", delayMs: 120_000, endpoint: "app/x", lease: leases[0]! },
      { ...deadly(), lease: leases[1]! },
    ]);
    await before.close();
    let monotonic = 0;
    const clock = { now: () => Date.now() + shift, monotonic: () => monotonic };
    const after = await openDriver(folder.path, { clock });
    expect((await after.stats("q")).dead).toBe(1);
    monotonic = 120_001;
    expect((await leaseFrom(after)).map((lease) => lease.job.id).sort()).toEqual(["delayed", "keyed"]);
    await after.close();
  }
});

test("jobs of a queue that is no longer configured stay, and are told", async () => {
  using folder = temporaryFolder();
  const before = await openDriver(folder.path, { queues: ["q", "old"] });
  await before.enqueue("old", [job("left")]);
  await before.close();
  const without = await openDriver(folder.path);
  expect(without.problems?.()).toMatchObject([{ kind: "undrained_jobs", object: "old" }]);
  await without.close();
  const again = await openDriver(folder.path, { queues: ["q", "old"] });
  expect((await again.stats("old")).ready).toBe(1);
  expect(again.problems?.()).toEqual([]);
  await again.close();
});

// Written by this version (test/fixtures/store-1): what the next one must still read.
test("a store of format 1 is read", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "store");
  mkdirSync(path);
  cpSync(join(root, "test", "fixtures", "store-1"), path, { recursive: true });
  // As on the day it was written: letters grow too old, delays end.
  const written = Date.UTC(2026, 10, 30, 21);
  const driver = await openDriver(path, { clock: { ...systemClock, now: () => written } });
  expect(await driver.stats("q")).toMatchObject({ ready: 3, delayed: 1, parked: 1, dead: 1, paused: false });
  const leases = await leaseFrom(driver);
  expect(leases.map((lease) => [lease.job.id, lease.job.body, lease.job.attempts])).toEqual([
    ["retried", "new body", 1],
    ["parked", "parked", 0],
    ["child", "child", 0],
    ["waiting", "waiting", 0],
  ]);
  const [letter] = (await driver.deadLetters("q", { limit: 10, cursor: null })).items;
  expect([letter?.id, letter?.reason, letter?.endpoint, letter?.body]).toEqual([
    "dead",
    "http_410",
    "app-1/one",
    new Uint8Array([0xff, 0]),
  ]);
  expect(await driver.shared?.all()).toEqual(new Map([["endpoint:app/x", "paused"]]));
  await driver.close();
});
