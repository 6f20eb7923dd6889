import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { UsageError } from "../../src/errors.ts";
import { newJob } from "../support/redis-driver.ts";
import { startAdmin, type Admin } from "../admin/start-admin.ts";
import { runCommand } from "./command-io.ts";

// Issue 14, part 6: what the API can do with waiting jobs, queues and endpoints, as commands.

let admin: Admin;
beforeAll(async () => {
  admin = await startAdmin({ config: { queue: { queues: ["webhooks", "other"] } } });
});
afterAll(() => admin.stop());

const envelope = (id: string, event = "channel_occupied"): string =>
  `{"hookline":1,"id":"${id}","kind":"pusher","app_id":"app-1","payload":{"time_ms":1,"events":[{"name":"${event}"}]}}`;

const run = (command: string, ...args: string[]) => runCommand(command, [...args, "--url", admin.url]);
const put = (id: string, delayMs = 0, event?: string) =>
  admin.driver.enqueue("webhooks", [newJob(id, envelope(id, event), { delayMs })]);

beforeEach(async () => {
  await run("jobs", "cancel", "webhooks", "--all");
});

describe("hookline jobs", () => {
  test("ls prints a table on a terminal and the API's items under --json, with its filters", async () => {
    await put("first");
    await put("second", 0, "order_paid");
    await put("later", 600_000);
    const { code, stdout } = await run("jobs", "ls", "webhooks");
    expect(code).toBe(0);
    const [head, ...rows] = stdout.trimEnd().split("\n");
    expect(head).toMatch(/^ID +STATE +ATTEMPTS +ENQUEUED AT +DUE AT +ENDPOINT +EVENTS +REF$/);
    expect(rows.map((row) => row.split(/ +/, 2))).toEqual([
      ["first", "ready"],
      ["second", "ready"],
    ]);
    const ids = async (...args: string[]): Promise<string[]> => {
      const answer = JSON.parse((await run("jobs", "ls", "webhooks", "--json", ...args)).stdout) as {
        items: { id: string }[];
        complete: boolean;
      };
      expect(answer.complete).toBe(true);
      return answer.items.map(({ id }) => id);
    };
    expect(await ids("--state", "delayed")).toEqual(["later"]);
    expect(await ids("--event", "order_paid")).toEqual(["second"]);
    expect(await ids("--endpoint", "app-1/hook")).toEqual(["first"]);
    expect(await ids("--since=-1h", "--job-id", "first")).toEqual(["first"]);
    expect((await run("jobs", "ls", "other")).stderr).toBe("no such jobs\n");
  });

  test("show says where a job is", async () => {
    await put("seen", 600_000);
    const { code, stdout } = await run("jobs", "show", "seen", "--queue", "webhooks");
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { id: "seen", state: "delayed", complete: true }]);
    const none = await run("jobs", "show", "nobody");
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("unknown_job")]);
  });

  test("run and cancel take ids, refs and filters, and say what they left alone", async () => {
    await put("a", 600_000);
    await put("b", 600_000);
    await put("c", 600_000, "order_paid");
    expect(await run("jobs", "run", "webhooks", "a", "nobody")).toMatchObject({
      code: 1,
      stdout: "1 ready now\n",
      stderr: expect.stringContaining("nobody: not there"),
    });
    const { items } = JSON.parse((await run("jobs", "ls", "webhooks", "--json")).stdout) as {
      items: { ref: string; id: string }[];
    };
    expect(items.map(({ id }) => id)).toEqual(["a"]);
    expect((await run("jobs", "cancel", "webhooks", "--refs", items[0]!.ref)).stdout).toBe("1 cancelled\n");
    const byFilter = await run("jobs", "cancel", "webhooks", "--event", "order_paid", "--json");
    expect(JSON.parse(byFilter.stdout)).toEqual({ done: 1, leased: [], not_found: [], failed: {} });
    expect((await run("jobs", "run", "webhooks", "--all")).stdout).toBe("1 ready now\n");
    expect((await admin.driver.stats("webhooks")).ready).toBe(1);
    for (const args of [[], ["a", "--all"], ["--refs"], ["a", "--event", "x"]]) {
      const refused = await run("jobs", "cancel", "webhooks", ...args).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(UsageError);
      expect(String(refused)).toMatch(/jobs cancel: give ids|--refs: give/);
    }
  });

  test("more than a page is changed page by page", async () => {
    const many = Array.from({ length: 2_300 }, (_, n) => newJob(`many-${n}`, envelope(`many-${n}`)));
    await admin.driver.enqueue("webhooks", many);
    expect((await run("jobs", "cancel", "webhooks", "--app", "app-1")).stdout).toBe("2300 cancelled\n");
    expect((await admin.driver.stats("webhooks")).ready).toBe(0);
  });
});

describe("hookline queues", () => {
  test("lists without a word, and pauses and resumes those that are named", async () => {
    await put("waits");
    const { code, stdout } = await run("queues");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^QUEUE +READY .*\nwebhooks +1 /);
    expect(JSON.parse((await run("queues", "--json")).stdout)).toMatchObject({
      queues: [{ name: "webhooks", ready: 1 }, { name: "other" }],
      cursor: null,
      complete: true,
    });
    expect((await run("queues", "pause", "other", "webhooks")).stdout).toBe(
      "other paused (this process)\nwebhooks paused (this process)\n",
    );
    expect(JSON.parse((await run("queues", "show", "other")).stdout)).toMatchObject({ paused: true });
    expect((await run("queues", "resume", "other", "webhooks")).code).toBe(0);
    expect(await run("queues", "pause", "nobody")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("unknown_queue"),
    });
    expect(run("queues", "purge")).rejects.toBeInstanceOf(UsageError);
  });
});

describe("hookline endpoints", () => {
  test("lists without a word, and switches and tests those that are named", async () => {
    expect((await run("endpoints")).stdout).toMatch(
      /^ENDPOINT +MODE +BREAKER +IN FLIGHT +WAITING +OLDEST +TARGET\napp-1\/hook +enabled +closed +0 /,
    );
    expect((await run("endpoints", "pause", "app-1/hook")).stdout).toBe("app-1/hook paused\n");
    expect(JSON.parse((await run("endpoints", "show", "app-1/hook")).stdout)).toMatchObject({
      mode: "paused",
    });
    expect((await run("endpoints", "resume", "app-1/hook")).stdout).toBe("app-1/hook enabled\n");
    const tested = await run("endpoints", "test", "app-1/hook");
    expect([tested.code, tested.stdout]).toEqual([
      1,
      expect.stringMatching(/^app-1\/hook .*ECONNREFUSED|refused/i),
    ]);
    expect(await run("endpoints", "pause", "crm")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("unknown_endpoint"),
    });
  });
});
