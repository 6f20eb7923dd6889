import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../cli/command-io.ts";
import { inDirectory } from "./support.ts";

/** Runs `hookline config …` in a directory with this hookline.json. */
function run(args: string[], file: object | null, env: Record<string, string> = {}) {
  return inDirectory(async (cwd) => {
    if (file !== null) await writeFile(join(cwd, "hookline.json"), JSON.stringify(file));
    return runCommand("config", args, { cwd, env });
  });
}

const apps = [
  {
    id: "app-1",
    key: "k-e-y-1",
    secret: "s-e-c-r-e-t",
    webhooks: [{ url: "https://u:p4ss@h.test/a/b/c", event_types: ["x"] }],
  },
];

describe("hookline config check", () => {
  test("says ok, with what it found", async () => {
    const { code, stdout, stderr } = await run(["check"], { apps });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "ok: hookline.json, driver memory, 1 queue, 1 app, 0 endpoints\n",
      stderr: "",
    });
  });

  test("prints warnings", async () => {
    const { code, stderr } = await run(["check"], { apps, server: { token: "short" } });
    expect(code).toBe(0);
    expect(stderr).toBe("warning: server.token has fewer than 16 characters: take a longer, random one\n");
  });

  test("lists every issue on stderr and answers 78", async () => {
    const { code, stdout, stderr } = await run(["check", "--set", "queue.driver=x"], { server: { prot: 1 } });
    expect(code).toBe(78);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      'server.prot (file hookline.json): unknown key, did you mean "port"?\n' +
        'queue.driver (flag --set): expected one of "memory", "file", "redis", "redis-cluster", "sqs", "none", got "x"\n',
    );
  });

  // Finding of fresh-eyes testing: serve refused it, config check did not.
  test("an option that the SQS client does not know is an issue, its value is not shown", async () => {
    const queue = { driver: "sqs", sqs: { client_options: { nope: "HUNTER2" } } };
    const { code, stderr } = await run(["check"], { apps, queue });
    expect(code).toBe(78);
    expect(stderr).toStartWith("queue.sqs.client_options.nope: unknown option of the SQS client");
    expect(stderr).not.toContain("HUNTER2");
  });

  test("a file written for drivers to come checks", async () => {
    for (const driver of ["redis", "redis-cluster", "sqs", "none"]) {
      expect((await run(["check"], { apps, queue: { driver } })).code).toBe(0);
    }
  });
});

describe("hookline config print", () => {
  test("gives each key with value and source, secrets redacted", async () => {
    const { code, stdout } = await run(
      ["print", "--set", "server.port=1"],
      { apps },
      { QUEUE_DRIVER: "none" },
    );
    expect(code).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines).toContain('queue.driver = "none"  (env QUEUE_DRIVER)');
    expect(lines).toContain("server.port = 1  (flag --set)");
    expect(lines).toContain('server.host = "127.0.0.1"  (default)');
    expect(lines).toContain('queue.queues = ["webhooks"]  (default)');
    expect(lines).toContain('apps.0.id = "app-1"  (file hookline.json)');
    expect(lines).toContain('apps.0.secret = "***"  (file hookline.json)');
    expect(lines).toContain('apps.0.key = "***"  (file hookline.json)');
    expect(lines).toContain('apps.0.webhooks.0.url = "https://***@h.test/a/***"  (file hookline.json)');
    expect(lines).toContain("apps.0.webhooks.0.gone_threshold = 3  (default)");
    for (const secret of ["k-e-y-1", "s-e-c-r-e-t", "p4ss", "b/c"]) expect(stdout).not.toContain(secret);
  });

  test("--json is an array of the same", async () => {
    const { stdout } = await run(["print", "--json"], null);
    const entries = JSON.parse(stdout) as { path: string; value: unknown; source: string }[];
    expect(entries).toContainEqual({ path: "server.port", value: 9640, source: "default" });
    expect(entries.length).toBeGreaterThan(70);
  });
});

test("config print names the true source of each leaf", async () => {
  const file = {
    server: {},
    queue: { memory: {}, redis: { concurrency: 9 } },
    egress: { deny: ["10.0.0.1", "10.0.0.2"] },
    endpoints: { e: { url: "http://a.test/", retry: {}, breaker: { min_attempts: 3 } } },
    apps,
  };
  const env = { HOOKLINE_PORT: "1234", HOOKLINE_EGRESS__DENY__1: "10.0.0.3", HOOKLINE_WEBHOOKS: "{}" };
  const { stdout } = await run(["print", "--json"], file, env);
  const entries = JSON.parse(stdout) as { path: string; source: string }[];
  const sourceOf = (path: string): string | undefined => entries.find((entry) => entry.path === path)?.source;
  const inFile = "file hookline.json";
  expect({
    "server.host": sourceOf("server.host"),
    "server.port": sourceOf("server.port"),
    "queue.memory.capacity": sourceOf("queue.memory.capacity"),
    "queue.redis.concurrency": sourceOf("queue.redis.concurrency"),
    "queue.redis.prefix": sourceOf("queue.redis.prefix"),
    "webhooks.max_in_flight": sourceOf("webhooks.max_in_flight"),
    "egress.deny": sourceOf("egress.deny"),
    "endpoints.e.url": sourceOf("endpoints.e.url"),
    "endpoints.e.retry": sourceOf("endpoints.e.retry"),
    "endpoints.e.breaker.min_attempts": sourceOf("endpoints.e.breaker.min_attempts"),
    "endpoints.e.breaker.open_ms": sourceOf("endpoints.e.breaker.open_ms"),
    "apps.0.id": sourceOf("apps.0.id"),
    "apps.0.accept": sourceOf("apps.0.accept"),
  }).toEqual({
    "server.host": "default",
    "server.port": "env HOOKLINE_PORT",
    "queue.memory.capacity": "default",
    "queue.redis.concurrency": inFile,
    "queue.redis.prefix": "default",
    "webhooks.max_in_flight": "default",
    "egress.deny": `${inFile}, env HOOKLINE_EGRESS__DENY__1`,
    "endpoints.e.url": inFile,
    "endpoints.e.retry": inFile,
    "endpoints.e.breaker.min_attempts": inFile,
    "endpoints.e.breaker.open_ms": "default",
    "apps.0.id": inFile,
    "apps.0.accept": "default",
  });
});

test("hookline config check --json tells issues and warnings as one object", async () => {
  const fine = await run(["check", "--json"], { apps, server: { token: "short" } });
  expect(fine).toMatchObject({ code: 0, stderr: "" });
  const warning = expect.stringContaining("fewer than 16 characters");
  expect(JSON.parse(fine.stdout)).toEqual({ ok: true, issues: [], warnings: [warning] });
  const bad = await run(["check", "--json"], { server: { port: -1 } });
  expect(bad).toMatchObject({ code: 78, stderr: "" });
  expect(JSON.parse(bad.stdout)).toMatchObject({
    ok: false,
    issues: [
      { path: "server.port", source: "file hookline.json", message: expect.stringContaining("got -1") },
    ],
  });
});

test("hookline config schema is JSON Schema", async () => {
  const { code, stdout } = await run(["schema"], null);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
  });
});

test.each<[args: string[], message: string]>([
  [[], "config: a subcommand is missing, one of check, print, schema"],
  [["chek"], 'config: no subcommand "chek" (did you mean "check"?)'],
  [["check", "x"], 'unexpected argument "x"'],
  [["check", "--jsn"], 'unknown option --jsn (did you mean "--json"?)'],
  [["check", "--config"], "--config needs a value"],
])("hookline config %j is a usage error", async (args, message) => {
  const error = await run(args, null).then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error?.name).toBe("UsageError");
  expect(error?.message).toBe(message);
});
