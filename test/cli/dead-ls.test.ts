import { afterAll, beforeAll, expect, test } from "bun:test";
import { createLineWriter } from "../../src/cli/line-writer.ts";
import { dead } from "../../src/cli/dead.ts";
import { HooklineError } from "../../src/errors.ts";
import type { DeadLetter } from "../../src/queue/driver.ts";
import { startAdmin, type Admin } from "../admin/start-admin.ts";
import { runCommand } from "./command-io.ts";

const count = 2_300;
const letters = Array.from({ length: count }, (_, n): DeadLetter => ({
  id: `job-${n}`,
  jobId: `job-${n}`,
  reason: "http_410",
  detail: null,
  endpoint: n === 0 ? null : "shop/hook",
  attempts: 1,
  failedAt: n === 1 ? 1e20 : 1_700_000_000_000,
  enqueuedAt: null,
  body: "{}",
}));
const ids = letters.map(({ id }) => id);

/** Pages that the driver was asked for. */
let asked = 0;
/** Where the backend fails; none by default. */
let failsAt = Infinity;
let admin: Admin;
beforeAll(async () => {
  admin = await startAdmin({
    driver: (memory) => ({
      ...memory,
      async deadLetters(queue, { cursor, limit }) {
        if (queue === "empty") return { items: [], cursors: [], looked: 0, cursor: null, complete: true };
        asked += 1;
        const from = Number(cursor ?? 0);
        if (from >= failsAt) throw new HooklineError("driver_unavailable", "gone");
        const items = letters.slice(from, from + limit);
        const end = from + items.length;
        const cursors = items.map((_, at) => String(from + at + 1));
        const next = end < count ? String(end) : null;
        return { items, cursors, looked: items.length, cursor: next, complete: true };
      },
    }),
    config: { queue: { queues: ["webhooks", "empty"] } },
  });
});
afterAll(() => admin.stop());

const list = (...args: string[]) => runCommand("dead", ["ls", "webhooks", "--url", admin.url, ...args]);
const idsOf = (table: string): string[] =>
  table
    .split("\n")
    .slice(1, -1)
    .map((row) => row.split(" ", 1)[0] as string);

// faults.md B2: a page may end before its limit; whoever shows lists must follow the cursors.
test("all dead letters are listed, over as many pages as it takes, under one head", async () => {
  const { code, stdout, stderr } = await list();
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.split("\n")[0]).toMatch(/^ID +REASON +ATTEMPTS +FAILED AT +ENDPOINT$/);
  expect(idsOf(stdout)).toEqual(ids);
});

test("--limit bounds what is listed, not a page, and says how to go on", async () => {
  const { stdout, stderr } = await list("--limit", "1500");
  expect(idsOf(stdout)).toEqual(ids.slice(0, 1_500));
  const cursor = /^more: --cursor (\S+)\n$/.exec(stderr)?.[1];
  expect(idsOf((await list("--cursor", cursor!)).stdout)).toEqual(ids.slice(1_500));
});

test("--json is one object", async () => {
  const whole = JSON.parse((await list("--json")).stdout) as { items: { id: string }[] };
  expect(whole).toMatchObject({ cursor: null, complete: true });
  expect(whole.items.map(({ id }) => id)).toEqual(ids);
  const part = JSON.parse((await list("--json", "--limit", "1001")).stdout) as typeof whole;
  expect(part).toMatchObject({ cursor: "1001", complete: false });
  expect(part.items).toHaveLength(1_001);
  const none = await runCommand("dead", ["ls", "empty", "--url", admin.url, "--json"]);
  expect(JSON.parse(none.stdout)).toEqual({ items: [], cursor: null, complete: true });
});

test("a refusal in the middle exits 1, with what came before it and where to go on", async () => {
  failsAt = 1_000;
  try {
    const text = await list();
    expect([text.code, idsOf(text.stdout).length]).toEqual([1, 1_000]);
    expect(text.stderr).toContain("more: --cursor 1000\n");
    expect(text.stderr).toContain("driver_unavailable");
    const json = await list("--json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ cursor: "1000", complete: false });
  } finally {
    failsAt = Infinity;
  }
});

test("no more is asked for once the reader has gone", async () => {
  const stdout = createLineWriter({
    write(_chunk, done) {
      done(Object.assign(new Error("EPIPE"), { code: "EPIPE" }));
      return false;
    },
    on: () => undefined,
  });
  asked = 0;
  const io = {
    stdout,
    stderr: stdout,
    env: {},
    cwd: "/",
    readStdin: () => Promise.reject(new Error("none")),
  };
  expect(await dead(["ls", "webhooks", "--url", admin.url], { ...io, reportError: () => undefined })).toBe(0);
  expect(asked).toBeLessThan(20);
});
