import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { StorageFullError } from "../../../src/errors.ts";
import { realFiles } from "../../../src/queue/drivers/file/files.ts";
import type { QueueDriver } from "../../../src/queue/driver.ts";
import { job } from "../conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../../support/file-driver.ts";
import { createLimitedFiles } from "../../support/limited-files.ts";
import { until } from "../../support/until.ts";

const mebibyte = 1024 * 1024;
const body = `{"x":"${"x".repeat(8_000)}"}`;
const small = { segmentBytes: 2 * mebibyte, slackBytes: 0 };
let ids = 0;

/** Enqueues until the disk is full; returns the ids that were taken in. */
async function fill(driver: QueueDriver): Promise<Set<string>> {
  const taken = new Set<string>();
  for (;;) {
    const batch = Array.from({ length: 16 }, () => job(body, { id: `f-${(ids += 1)}` }));
    const results = await driver.enqueue("q", batch);
    for (const result of results) if (result.status === "enqueued") taken.add(result.id);
    const last = results.at(-1);
    if (last?.status !== "failed") continue;
    expect(last.error).toBeInstanceOf(StorageFullError);
    return taken;
  }
}

/** Leases and acks everything; returns the ids. */
async function drain(driver: QueueDriver, seen: Set<string> = new Set()): Promise<Set<string>> {
  for (;;) {
    const leases = await leaseFrom(driver, { max: 32 });
    if (leases.length === 0) return seen;
    for (const { job: leased } of leases) {
      expect(leased.body).toBe(body);
      seen.add(leased.id);
    }
    await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
  }
}

const takesAgain = (driver: QueueDriver): Promise<boolean> =>
  driver.probeWrite!("q", new AbortController().signal).then(
    () => true,
    () => false,
  );

describe("a disk that fills up", () => {
  test("refuses jobs below min_free_mb, delivers on, and takes jobs again once there is room: nothing is lost", async () => {
    using folder = temporaryFolder();
    const files = createLimitedFiles(48 * mebibyte);
    const driver = await openDriver(folder.path, { ...small, files, minFreeBytes: 4 * mebibyte });
    for (let round = 0; round < 3; round += 1) {
      const taken = await fill(driver);
      expect(taken.size).toBeGreaterThan(500);
      expect(driver.problems?.()).toMatchObject([{ kind: "backend_refuses_writes", object: "q" }]);
      expect(await takesAgain(driver)).toBe(false);
      expect(await drain(driver)).toEqual(taken);
      await until(() => takesAgain(driver), { what: "room again" });
      expect(driver.problems?.()).toEqual([]);
    }
    await driver.close();
  }, 240_000);

  test("over max_bytes refuses jobs as well", async () => {
    using folder = temporaryFolder();
    const driver = await openDriver(folder.path, { ...small, maxBytes: 5 * mebibyte });
    const taken = await fill(driver);
    expect(taken.size * body.length).toBeLessThan(7 * mebibyte);
    expect(await drain(driver)).toEqual(taken);
    await until(() => takesAgain(driver), { what: "room again" });
    await driver.close();
  });

  test("when others take the last byte: acks use the reserve, then leasing stops, then all goes on by itself", async () => {
    using folder = temporaryFolder();
    const files = createLimitedFiles(64 * mebibyte);
    const driver = await openDriver(folder.path, { ...small, files, minFreeBytes: mebibyte });
    await until(() => files.used > 16 * mebibyte, { what: "the reserve to be written" });
    const taken = new Set<string>();
    for (let n = 0; n < 200; n += 1) {
      const [result] = await driver.enqueue("q", [job(body, { id: `s-${n}` })]);
      if (result?.status === "enqueued") taken.add(result.id);
    }
    const seen = new Set<string>();
    const before = files.used;
    files.taken = 64 * mebibyte - files.used;
    // With the reserve given up there is room for acks.
    for (let n = 0; n < 3; n += 1) {
      const leases = await leaseFrom(driver, { max: 10 });
      for (const lease of leases) seen.add(lease.job.id);
      await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
    }
    await until(() => files.used < before, { what: "the reserve to be given up" });
    // And now even that is gone.
    files.taken = 64 * mebibyte - files.used;
    const stuck = await leaseFrom(driver, { max: 10 });
    for (const lease of stuck) seen.add(lease.job.id);
    await driver.settle(stuck.map((lease) => ({ verb: "ack", lease })));
    await until(async () => (await leaseFrom(driver, { max: 1 })).length === 0, { what: "leasing to stop" });
    expect((await driver.enqueue("q", [job(body)]))[0]?.status).toBe("failed");
    files.taken = 0;
    await until(() => takesAgain(driver), { what: "room again" });
    await drain(driver, seen);
    expect(seen.size).toBeGreaterThanOrEqual(taken.size - 10);
    await until(() => files.used > 16 * mebibyte, { what: "the reserve to be written again" });
    await driver.close();
    const after = await openDriver(folder.path, small);
    await drain(after, seen);
    expect(seen).toEqual(taken);
    await after.close();
  }, 240_000);

  test("a start on a full disk comes up and says so", async () => {
    using folder = temporaryFolder();
    await (await openDriver(folder.path, small)).close();
    const files = createLimitedFiles(64 * mebibyte);
    files.taken = 64 * mebibyte;
    const driver = await openDriver(folder.path, { ...small, files, minFreeBytes: mebibyte });
    expect((await driver.enqueue("q", [job(body)]))[0]?.status).toBe("failed");
    files.taken = 0;
    await until(() => takesAgain(driver), { what: "room" });
    expect((await driver.enqueue("q", [job(body)]))[0]?.status).toBe("enqueued");
    await driver.close();
  });
});

const mount = (path: string): boolean =>
  process.getuid?.() === 0 &&
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", path]).status === 0;

/** Whether this user may mount; found out by doing it once. */
const mayMount = ((): boolean => {
  using folder = temporaryFolder();
  return mount(folder.path) && spawnSync("umount", [folder.path]).status === 0;
})();

test.skipIf(!mayMount)(
  "a real file system of 64 MB is filled, drained and filled again (a right to mount is needed)",
  async () => {
    using folder = temporaryFolder();
    expect(mount(folder.path)).toBe(true);
    try {
      const driver = await openDriver(folder.path, { ...small, minFreeBytes: mebibyte });
      expect(driver.durable?.()).toBe(false);
      for (let round = 0; round < 2; round += 1) {
        const taken = await fill(driver);
        expect(taken.size).toBeGreaterThan(1_000);
        expect(await drain(driver)).toEqual(taken);
        await until(() => takesAgain(driver), { what: "room again" });
      }
      await driver.close();
    } finally {
      expect(spawnSync("umount", [folder.path]).status).toBe(0);
    }
  },
  240_000,
);

describe("a file that fails", () => {
  const failing = (call: "write" | "sync", code: string) => {
    let fails = false;
    const fail = (): Promise<never> =>
      Promise.reject(Object.assign(new Error(`${code}: i/o error`), { code }));
    const files = {
      ...realFiles,
      write: (...args: Parameters<typeof realFiles.write>) =>
        fails && call === "write" ? fail() : realFiles.write(...args),
      sync: (fd: number) => (fails && call === "sync" ? fail() : realFiles.sync(fd)),
    };
    return { files, begin: () => void (fails = true) };
  };

  for (const [call, code] of [
    ["write", "EIO"],
    ["sync", "EIO"],
    ["sync", "ENOSPC"],
    ["sync", "EDQUOT"],
  ] as const) {
    test(`${code} from ${call} ends the process, and what was not confirmed is refused`, async () => {
      using folder = temporaryFolder();
      const { files, begin } = failing(call, code);
      const failures: Error[] = [];
      const driver = await openDriver(folder.path, { files, fail: (error) => void failures.push(error) });
      await driver.enqueue("q", [job("kept", { id: "kept" })]);
      begin();
      const error = await driver.enqueue("q", [job("refused")]).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(String(error)).toContain(code);
      expect(failures).toHaveLength(1);
      await driver.close();
      const after = await openDriver(folder.path);
      expect((await leaseFrom(after)).map((lease) => lease.job.id)).toContain("kept");
      await after.close();
    });
  }

  test("short writes are no errors", async () => {
    using folder = temporaryFolder();
    const files = {
      ...realFiles,
      write: (fd: number, from: Uint8Array, position: number) =>
        realFiles.write(fd, from.subarray(0, Math.max(1, Math.ceil(from.length / 3))), position),
    };
    const driver = await openDriver(folder.path, { ...small, files });
    for (let n = 0; n < 50; n += 1) await driver.enqueue("q", [job(body, { id: `w-${n}` })]);
    await driver.close();
    const after = await openDriver(folder.path);
    expect((await drain(after)).size).toBe(50);
    await after.close();
  });
});
