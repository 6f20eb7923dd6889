import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ensureExecutable, runExecutable, startExecutable } from "../support/executable.ts";
import { temporaryFolder } from "../support/file-driver.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { configFor, jobNumberOf, jobsFrom } from "./scenario.ts";

const isRoot = process.getuid?.() === 0;

function config(receiver: Receiver, path: string, file: object = {}): object {
  return configFor([{ name: "hook", url: receiver.url, breaker: { min_attempts: 100_000 } }], {
    queue: { driver: "file", file: { path, concurrency: 4, min_free_mb: 1, ...file } },
  });
}

/** Whether strace may make system calls of our own children fail; found out by doing it once. */
const mayInject =
  spawnSync("strace", ["-f", "-qq", "-o", "/dev/null", "-e", "inject=uname:error=EIO:when=1", "true"])
    .status === 0;

describe.skipIf(!mayInject)(
  "a disk that fails under the executable (strace and the right to use it are needed)",
  () => {
    for (const [call, code] of [
      ["fdatasync", "EIO"],
      ["fdatasync", "ENOSPC"],
      ["pwrite64", "EIO"],
    ] as const) {
      test(`${code} from ${call}: exit code 1 with the reason, and every 202 is there at the next start`, async () => {
        using folder = temporaryFolder();
        await using receiver = await startReceiver({ record: false });
        const seen = new Set<number>();
        receiver.behave((request) => {
          seen.add(jobNumberOf(request));
          return answer(200);
        });
        const inject = `inject=${call}:error=${code}:when=60+`;
        const program = await ensureExecutable();
        const command = [
          "strace",
          "-f",
          "-qq",
          "-o",
          "/dev/null",
          "-e",
          `trace=${call}`,
          "-e",
          inject,
          program,
        ];
        const confirmed: number[] = [];
        {
          await using server = await startExecutable(config(receiver, folder.path), { command });
          let refused = 0;
          for (let n = 0; refused === 0; n += 1) {
            const status = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(n, 1)).then(
              (posted) => posted.status,
              () => 599,
            );
            if (status === 202) confirmed.push(n);
            else refused = status;
          }
          expect(refused).toBeGreaterThanOrEqual(500);
          expect(await server.exited).toBe(1);
          const last = server.logs().filter(({ level }) => level === "error");
          expect(JSON.stringify(last)).toContain(code);
          expect(JSON.stringify(last)).toContain("exit code 1");
        }
        expect(confirmed.length).toBeGreaterThan(5);
        await using again = await startExecutable(config(receiver, folder.path));
        await until(() => confirmed.every((n) => seen.has(n)), { what: "what was confirmed to arrive" });
        await again.untilIdle("webhooks");
        expect(await again.stop()).toBe(0);
      }, 240_000);
    }
  },
);

describe("a store that this user may not use", () => {
  /** Runs `serve` on a store, as another user where one is named. */
  const serve = async (receiver: Receiver, path: string, user?: number) => {
    using place = temporaryFolder();
    const file = join(place.path, "config.json");
    writeFileSync(file, JSON.stringify(config(receiver, path)));
    chmodSync(place.path, 0o755);
    const program = await ensureExecutable();
    const as = user === undefined ? [] : ["setpriv", `--reuid=${user}`, "--clear-groups"];
    const command = [...as, program];
    return await runExecutable(["serve", "--config", file, "--set", "server.port=0"], { command });
  };

  test.skipIf(!isRoot)(
    "of another owner: exit code 78 for root too, and nothing in it changes (root is needed)",
    async () => {
      using folder = temporaryFolder();
      await using receiver = await startReceiver();
      const path = join(folder.path, "store");
      {
        await using server = await startExecutable(config(receiver, path));
        expect(await server.stop()).toBe(0);
      }
      const own = join(path, "store.json");
      chownSync(own, 12_345, 12_345);
      const before = statSync(join(path, "owner")).mtimeMs;
      const refused = await serve(receiver, path);
      expect(refused.code).toBe(78);
      expect(refused.stderr).toContain("belongs to the user 12345");
      expect(statSync(join(path, "owner")).mtimeMs).toBe(before);
      chownSync(own, 0, 0);
      chmodSync(folder.path, 0o755);
      const elsewhere = await serve(receiver, path, 65_534);
      expect(elsewhere.code).toBe(78);
      expect(elsewhere.stderr).toContain(path);
    },
  );

  test("read-only, for its owner: exit code 78", async () => {
    using folder = temporaryFolder();
    await using receiver = await startReceiver();
    chmodSync(folder.path, 0o755);
    const path = join(folder.path, "store");
    const user = isRoot ? 65_534 : undefined;
    const refused = await serve(receiver, path, user);
    if (isRoot) {
      expect(refused.code).toBe(78);
      expect(refused.stderr).toContain(path);
      return;
    }
    chmodSync(path, 0o500);
    expect((await serve(receiver, path, user)).code).toBe(78);
    chmodSync(path, 0o700);
  });
});

const mount = (path: string): boolean =>
  isRoot && spawnSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", path]).status === 0;

/** Whether this user may mount; found out by doing it once. */
const mayMount = ((): boolean => {
  using folder = temporaryFolder();
  return mount(folder.path) && spawnSync("umount", [folder.path]).status === 0;
})();

/** Takes all that a file system has left. */
function fillUp(path: string): void {
  const fd = openSync(path, "a");
  try {
    for (const size of [1024 * 1024, 4_096]) {
      const part = Buffer.alloc(size, 1);
      for (;;) writeOrStop(fd, part);
    }
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  } finally {
    closeSync(fd);
  }
}

function writeOrStop(fd: number, part: Uint8Array): void {
  if (writeSync(fd, part) < part.length) throw Object.assign(new Error("full"), { code: "ENOSPC" });
}

test.skipIf(!mayMount)(
  "a file system of 64 MB that fills up: 503 storage_full, deliveries on the reserve, no leasing without it, and all goes on by itself (a right to mount is needed)",
  async () => {
    using folder = temporaryFolder();
    await using receiver = await startReceiver({ record: false });
    const seen = new Map<number, number>();
    receiver.behave((request) => {
      const n = jobNumberOf(request);
      seen.set(n, (seen.get(n) ?? 0) + 1);
      return answer(200, { delayMs: 10 });
    });
    expect(mount(folder.path)).toBe(true);
    try {
      const path = join(folder.path, "store");
      const ballast = join(folder.path, "ballast");
      await using server = await startExecutable(config(receiver, path, { min_free_mb: 8 }));
      const has = (text: string) => (): boolean => server.output().includes(text);
      await until(
        () => statSync(join(path, "reserve"), { throwIfNoEntry: false })?.size === 16 * 1024 * 1024,
        {
          what: "the reserve",
        },
      );
      await server.api("POST", "/v1/queues/webhooks/pause");

      const taken = new Set<number>();
      const filler = "x".repeat(8_000);
      const post = (n: number) => {
        const jobs = jobsFrom(n, 50).map((job) => ({ ...job, payload: withFiller(job, filler) }));
        return server.api("POST", "/v1/queues/webhooks/jobs", jobs);
      };
      let n = 0;
      let full = await post(n);
      for (; full.status === 202; full = await post(n)) {
        for (let at = n; at < n + 50; at += 1) taken.add(at);
        n += 50;
      }
      expect([full.status, full.body.code]).toEqual([503, "storage_full"]);
      expect(Number(full.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await server.api("GET", "/health")).body).toMatchObject({ status: "degraded" });
      expect((await server.api("GET", "/health/ready")).status).toBe(503);
      expect(taken.size).toBeGreaterThan(1_500);

      // Somebody else takes the last byte: what is delivered is written with the reserve.
      fillUp(ballast);
      await server.api("POST", "/v1/queues/webhooks/resume");
      await until(has("the reserve is given up"), { what: "the reserve to be given up" });
      const atReserve = seen.size;
      await until(() => seen.size > atReserve + 20, { what: "deliveries on the reserve" });

      // And takes everything that becomes free.
      await until(
        () => {
          fillUp(ballast);
          return has("nothing is leased until there is room")();
        },
        { what: "the reserve to be spent", everyMs: 1 },
      );
      const isStill = async (): Promise<boolean> => {
        fillUp(ballast);
        const { leased, ready } = await server.stats();
        return (ready ?? 0) > 0 && leased === 0;
      };
      await until(isStill, { what: "leasing to stop", everyMs: 1 });
      expect(taken.size - seen.size).toBeGreaterThan(0);

      rmSync(ballast);
      await until(() => seen.size === taken.size, { what: "every job to arrive", everyMs: 50 });
      await server.untilIdle("webhooks");
      await until(async () => (await post(n)).status === 202, {
        what: "jobs to be taken again",
        everyMs: 100,
      });
      await until(async () => (await server.api("GET", "/health/ready")).status === 200, { what: "ready" });
      await until(() => seen.size === taken.size + 50, { what: "the new jobs to arrive" });
      // No process ended, no lease ended: nothing came twice.
      expect([...seen.values()].every((times) => times === 1)).toBe(true);
      expect(await server.stop()).toBe(0);
    } finally {
      expect(spawnSync("umount", [folder.path]).status).toBe(0);
    }
  },
  240_000,
);

function withFiller(job: object, filler: string): object {
  const { payload } = job as { payload: { events: object[] } };
  return { ...payload, events: payload.events.map((event) => ({ ...event, data: filler })) };
}
