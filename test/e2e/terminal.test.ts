import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { ensureExecutable, runExecutable, startExecutable, token } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis, type RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { configFor } from "./scenario.ts";

// What others wrote (a producer, a receiver, a user's file) is shown, and never obeyed by a terminal.

const hostile = "\u001b[31mx\r\nFAKE\u0085\u009b2J\u202e\u2066";
const control = /(?!\n)[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** What a producer that writes straight into Redis may name: over HTTP such an endpoint is refused. */
const hostileJob = JSON.stringify({ id: "one", type: "t", data: {}, endpoint: hostile });

let redis: RedisProcess;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => redis.client.flushall());

const onRedis = (): object => ({ driver: "redis", redis: { url_override: redis.url } });

test("an endpoint's name and a receiver's answer with controls: dead ls, its JSON, and the log", async () => {
  await using receiver = await startReceiver();
  const location = "http://\u009b31m.example/\u202e";
  receiver.behave(answer(302, { headers: { location: Buffer.from(location).toString("latin1") } }));
  await using server = await startExecutable(
    configFor([{ name: "main", url: receiver.url }], { queue: onRedis(), log: { level: "debug" } }),
  );
  await redis.client.rpush("sockudo_queue:queue:webhooks", hostileJob);
  const event = { name: "channel_occupied", channel: hostile };
  await server.enqueue("webhooks", { id: "two", app_id: "shop", payload: { time_ms: 1, events: [event] } });
  await until(async () => (await server.stats())["dead"] === 2, { what: "two dead letters" });

  const args = ["dead", "ls", "webhooks", "--url", server.url, "--token", token];
  const table = await runExecutable(args);
  expect(table).toMatchObject({ code: 0, stderr: "" });
  expect(table.stdout.trimEnd().split("\n")).toHaveLength(3);
  expect(table.stdout).toContain("\\u001b[31mx\\u000d\\u000aFAKE\\u0085\\u009b2J\\u202e\\u2066");
  expect(table.stdout).not.toMatch(control);
  const json = await runExecutable([...args, "--json"]);
  expect(json.stdout).not.toMatch(control);
  const { items } = JSON.parse(json.stdout) as { items: { endpoint: string }[] };
  expect(items.map(({ endpoint }) => endpoint)).toContain(hostile);
  expect(await server.stop()).toBe(0);
  expect(server.output()).not.toMatch(control);
});

test("the pretty log on a running server", async () => {
  const log = { level: "debug", format: "pretty" };
  const config = { ...configFor([], { queue: onRedis() }), server: { port: 0, token }, log };
  const child = Bun.spawn([await ensureExecutable(), "serve", "--config", "/dev/stdin"], {
    env: {},
    stdin: new Blob([JSON.stringify(config)]),
    stdout: "ignore",
    stderr: "pipe",
  });
  let output = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) output += text;
  })();
  try {
    await redis.client.rpush("sockudo_queue:queue:webhooks", hostileJob);
    await until(() => output.includes("FAKE"), { what: "the line about the job" });
  } finally {
    child.kill("SIGTERM");
    await child.exited;
    await reading;
  }
  expect(output).not.toMatch(control);
  expect(output).not.toMatch(/^FAKE/m);
});

test("arguments, variables and files with controls come back without", async () => {
  const apps = JSON.stringify([{ id: hostile, [hostile]: 1 }]);
  const rows: string[][] = [
    [hostile],
    ["help", hostile],
    ["dead", hostile],
    ["dead", "ls", "q", `--${hostile}`],
    ["dead", "ls", "q", "--limit", hostile],
    ["enqueue", "q", hostile],
    ["health", "--url", hostile],
    ["config", "check", "--config", hostile],
    ["config", "check", "--set", `${hostile}=1`],
    ["config", "check", "--set", `queue.driver=${hostile}`],
    ["config", "check", "--queue", hostile],
    ["sqs", "create", hostile],
    ["keys", "public", hostile],
    ["verify", "--headers", hostile, "--key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    ["config", "check"],
  ];
  for (const args of rows) {
    const run = await runExecutable(args, { env: { HOOKLINE_APPS: apps } });
    expect({ args, ok: run.code === 0 }).toEqual({ args, ok: false });
    expect(run.stdout + run.stderr).not.toMatch(control);
    // Nothing that was given makes a line of its own.
    expect(`${run.stdout}${run.stderr}`).not.toMatch(/^FAKE/m);
  }
}, 240_000);
