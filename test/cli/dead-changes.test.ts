import { afterAll, beforeAll, expect, test } from "bun:test";
import { startAdmin, token, type Admin } from "../admin/start-admin.ts";
import { runCommand } from "./command-io.ts";

let admin: Admin;
beforeAll(async () => {
  admin = await startAdmin({ config: { server: { token } } });
});
afterAll(() => admin.stop());

const run = (command: string, ...args: string[]) =>
  runCommand(command, [...args, "--url", admin.url, "--token", token]);

/** Dead letters of an endpoint, told apart by their ids. */
async function bury(count: number, endpoint: string, reason: string): Promise<void> {
  const jobs = Array.from({ length: count }, (_, n) => ({
    id: `${endpoint.replaceAll("/", "-")}-${n}`,
    body: "{}",
    delayMs: 0,
    group: null,
    deduplicationId: null,
    routing: null,
    dedup: null,
  }));
  await admin.memory.enqueue("webhooks", jobs);
  const leases = await admin.memory.lease("webhooks", {
    max: count,
    leaseMs: 30_000,
    waitMs: 0,
    closedKeys: new Set<string>(),
    parkedMax: 1,
    signal: new AbortController().signal,
  });
  const letter = { reason, detail: null, endpoint, attempted: true } as const;
  await admin.memory.settle(leases.map((lease) => ({ verb: "dead", ...letter, lease })));
}

test("dead letters are counted, picked out by filters, redriven and removed", async () => {
  await bury(20, "app-1/hook", "http_404");
  await bury(50, "app-1/other", "http_410");

  const { stdout: table } = await run("dead", "summary", "webhooks");
  expect(table).toMatch(/^ENDPOINT +REASON +COUNT\napp-1\/other +http_410 +50\napp-1\/hook +http_404 +20\n$/);
  const one = await run("dead", "summary", "webhooks", "--reason", "http_404", "--json");
  expect(JSON.parse(one.stdout)).toMatchObject({ count: 20 });
  const listed = await run("dead", "ls", "webhooks", "--endpoint", "app-1/hook", "--since", "-1h");
  expect(listed.stdout.trimEnd().split("\n")).toHaveLength(21);

  const filter = ["--endpoint", "app-1/hook", "--since", "-1h"];
  const dry = await run("dead", "redrive", "webhooks", ...filter, "--dry-run");
  expect(dry).toMatchObject({ code: 0, stdout: "20 would be redriven\n", stderr: "" });
  expect((await admin.memory.stats("webhooks")).ready).toBe(0);
  expect(await run("dead", "redrive", "webhooks", ...filter)).toMatchObject({
    code: 0,
    stdout: "20 redriven\n",
  });
  expect(await admin.memory.stats("webhooks")).toMatchObject({ ready: 20, dead: 50 });

  const removed = await run("dead", "rm", "webhooks", "--reason", "http_410", "--max", "5");
  expect(removed).toMatchObject({ code: 0, stdout: "5 removed\n" });
  const named = await run("dead", "rm", "webhooks", "app-1-other-7", "nobody");
  expect(named).toMatchObject({ code: 1, stdout: "1 removed\n" });
  expect(named.stderr).toContain("nobody: not there");
  expect(await run("dead", "rm", "webhooks", "--all", "--dry-run")).toMatchObject({
    stdout: "44 would be removed\n",
  });
  const target = await run("dead", "redrive", "webhooks", "--all", "--to", "app-1/nobody");
  expect([target.code, target.stdout]).toEqual([1, ""]);
  expect(target.stderr).toContain("no endpoint");
});

test("a large one is waited for, listed, shown and stopped", async () => {
  const waited = run("dead", "redrive", "webhooks", "--all", "--per-second", "5");
  let id = "";
  while (id === "") {
    const { items } = JSON.parse((await run("operations", "ls", "--json")).stdout) as {
      items: { id: string; state: string }[];
    };
    id = items.find(({ state }) => state === "running")?.id ?? "";
  }
  expect((await run("operations", "ls")).stdout).toContain(id);
  expect(JSON.parse((await run("operations", "show", id)).stdout)).toMatchObject({ kind: "redrive" });
  const stopped = await run("operations", "stop", id);
  expect(stopped.stdout).toMatch(/^stopped: \d+ of 44\n$/);
  const { code, stdout, stderr } = await waited;
  expect([code, stdout]).toEqual([1, stopped.stdout.replace(/^stopped: /, "").replace("\n", " redriven\n")]);
  expect(stderr).toContain("it was stopped");
  expect((await run("operations", "show", "nobody")).code).toBe(1);
});
