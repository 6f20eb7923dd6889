import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ensureExecutable,
  runExecutable,
  startExecutable,
  type Executable,
  type StartOptions,
} from "../support/executable.ts";
import { answer, hang, startReceiver, type Receiver } from "../support/receiver.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";

let model: SqsModel;
let receiver: Receiver;
beforeEach(async () => {
  model = createSqsModel();
  receiver = await startReceiver();
});
afterEach(async () => {
  await receiver.close();
  await model.stop();
});

const keys = { accessKeyId: "e2e", secretAccessKey: "e2e" };
const start = (
  sqs: object = {},
  queue: object = {},
  more: object = {},
  options: StartOptions = {},
): Promise<Executable> =>
  startExecutable(
    {
      ...more,
      queue: {
        driver: "sqs",
        queues: ["webhooks"],
        ...queue,
        sqs: { endpoint_url: model.endpoint, client_options: keys, wait_time_seconds: 1, ...sqs },
      },
      apps: [
        {
          id: "app-1",
          key: "app-key",
          secret: "app-secret",
          webhooks: [{ url: `${receiver.url}/hook`, event_types: ["channel_occupied"] }],
        },
      ],
    },
    options,
  );

function put(count: number): void {
  if (!model.queues.has("webhooks")) model.create("webhooks", { MessageRetentionPeriod: "1209600" });
  for (let n = 0; n < count; n += 1) {
    model.queues.get("webhooks")?.send({
      body: `{"app_key":"app-key","app_id":"app-1","payload":{"time_ms":1,"events":[{"name":"channel_occupied","channel":"c${n}"}]},"original_signature":"x"}`,
      attributes: {},
      group: null,
      deduplicationId: null,
      delaySeconds: null,
    });
  }
}
const stored = (): number => model.queues.get("webhooks")?.messages.size ?? -1;

test("SIGKILL again and again: every message is delivered, the unfinished ones when their visibility ends", async () => {
  const [total, kills] = isLong ? [5_000, 5] : [1_200, 2];
  put(total);
  receiver.behave(answer(200, { delayMs: 3 }));
  for (let kill = 1; kill <= kills; kill += 1) {
    const victim = await start({ visibility_timeout: 3, concurrency: 16 });
    await until(() => stored() < total * (1 - kill / (kills + 2)), {
      timeoutMs: 90_000,
      what: `kill ${kill}`,
    });
    await victim.stop("SIGKILL");
    expect(model.queues.get("webhooks")?.counts().inFlight).toBeGreaterThan(0);
  }
  await using last = await start({ visibility_timeout: 3, concurrency: 16 });
  await until(() => stored() === 0, { timeoutMs: 90_000, everyMs: 20, what: "an empty queue" });
  const channels = new Set(receiver.requests.map(({ text }) => /"channel":"(c\d+)"/.exec(text)?.[1]));
  expect(channels.size).toBe(total);
  expect(await last.stop()).toBe(0);
}, 120_000);

test("SIGTERM makes what was not finished visible at once", async () => {
  put(30);
  receiver.behave(hang());
  const server = await start({ concurrency: 4 }, { reliability: { shutdown_timeout_ms: 3_000 } });
  await receiver.waitForCount(4);
  expect(await server.stop()).toBe(0);
  expect(model.queues.get("webhooks")?.counts()).toEqual({ visible: 30, inFlight: 0, delayed: 0 });
}, 120_000);

test("with Soketi's own environment its queue is drained", async () => {
  const captured = JSON.parse(
    readFileSync(new URL("../fixtures/soketi-1.6.1-sqs-fifo.json", import.meta.url), "utf8"),
  ) as { body: string; MessageGroupId: string; MessageDeduplicationId: string }[];
  const queue = model.create("soketi.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
  for (const { body, MessageGroupId, MessageDeduplicationId } of captured) {
    queue.send({
      body,
      attributes: {},
      group: MessageGroupId,
      deduplicationId: MessageDeduplicationId,
      delaySeconds: null,
    });
  }
  const names = captured.map(
    ({ body }) =>
      (JSON.parse(body) as { payload: { events: { name: string }[] } }).payload.events[0]?.name ?? "",
  );
  await using server = await startExecutable(
    {
      apps: [
        {
          id: "app-1",
          key: "app-key",
          secret: "app-secret",
          webhooks: [{ url: receiver.url, event_types: [...new Set(names)] }],
        },
      ],
    },
    {
      env: {
        QUEUE_DRIVER: "sqs",
        SOKETI_QUEUE_SQS_REGION: "us-east-1",
        SOKETI_QUEUE_SQS_ENDPOINT: model.endpoint,
        SOKETI_QUEUE_SQS_URL: `${model.endpoint}/123456789012/soketi.fifo`,
        SOKETI_QUEUE_SQS_CLIENT_OPTIONS: JSON.stringify({ ...keys, maxRetries: 2 }),
        SOKETI_QUEUE_SQS_BATCH_SIZE: "10",
        SOKETI_QUEUE_SQS_PROCESS_BATCH: "true",
        SOKETI_QUEUE_SQS_POLLING_WAIT_TIME_MS: "0",
      },
    },
  );
  await until(() => queue.messages.size === 0, { what: "an empty queue" });
  expect(receiver.count).toBe(captured.length);
  model.endPolls();
  expect(await server.stop()).toBe(0);
}, 120_000);

test("a delivery whose message SQS does not delete is made once, and /health says so meanwhile", async () => {
  put(1);
  let failures = 0;
  model.faults.failEntry = (action) => {
    if (action !== "DeleteMessageBatch") return null;
    failures += 1;
    return "InternalError";
  };
  // Its visibility ends several times, and its two attempts would have been used up.
  await using server = await start({ visibility_timeout: 1 });
  await receiver.waitFor(1);
  await until(() => failures >= 5, { what: "deletions that fail" });
  const { body } = await server.api("GET", "/health");
  expect([body.status, Object.keys(body.checks)]).toEqual([
    "degraded",
    expect.arrayContaining(["unsettled_deliveries"]) as unknown,
  ]);
  model.faults.failEntry = null;
  await until(() => stored() === 0, { what: "the deletion" });
  await until(async () => (await server.api("GET", "/health")).body.status === "ok", { what: "health" });
  expect([receiver.count, model.queues.get("webhooks-dead")?.messages.size]).toEqual([1, 0]);
}, 120_000);

test("SQS that denies sends: degraded and not ready until one is taken", async () => {
  put(0);
  await using server = await start();
  const events = [{ name: "channel_occupied", channel: "a" }];
  const post = async (): Promise<number> =>
    (await server.api("POST", "/v1/apps/app-1/events", { events })).status;
  const readiness = async (): Promise<number> => (await server.api("GET", "/health/ready")).status;
  model.faults.denied.add("SendMessage");
  expect([await post(), await readiness()]).toEqual([503, 503]);
  const { body } = await server.api("GET", "/health");
  expect([body.status, body.checks.backend_refuses_writes?.queues]).toEqual(["degraded", ["webhooks"]]);
  model.faults.denied.clear();
  expect([await post(), await readiness()]).toEqual([202, 200]);
  expect((await server.api("GET", "/health")).body.status).toBe("ok");
  await receiver.waitFor(1);
}, 240_000);

test("a job that waited for a paused endpoint longer than its schedule outlives its next failure; short polls pause", async () => {
  model.create("webhooks", { MessageRetentionPeriod: "1209600" });
  receiver.behave((_, n) => answer(n < 3 ? 503 : 200));
  await using server = await start(
    { wait_time_seconds: 0, polling_wait_time_ms: 500 },
    {},
    { webhooks: { retry: { schedule_ms: [100], max_attempts: 5, jitter: 0 } } },
  );
  expect((await server.api("POST", "/v1/endpoints/app-1/webhook/pause", {})).status).toBe(200);
  model.resetRequests();
  put(1);
  const startedAt = performance.now();
  // Its schedule and a half is 0.6 s.
  await until(() => performance.now() > startedAt + 2_000, { everyMs: 50 });
  const receives = model.requests.get("ReceiveMessage") ?? 0;
  expect(receives).toBeLessThanOrEqual((performance.now() - startedAt) / 500 + 1);
  expect([receives > 0, receiver.count]).toEqual([true, 0]);
  expect((await server.api("POST", "/v1/endpoints/app-1/webhook/resume", {})).status).toBe(200);
  await until(() => stored() === 0, { what: "the delivery" });
  expect([receiver.count, model.queues.get("webhooks-dead")?.messages.size]).toEqual([3, 0]);
}, 120_000);

test("a credentials file that is rewritten when the old credentials have expired is read anew", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hookline-aws-"));
  const write = (key: string): void =>
    writeFileSync(
      join(directory, "credentials"),
      `[default]\naws_access_key_id = ${key}\naws_secret_access_key = s\naws_session_token = t\n`,
    );
  try {
    write("AKIAFIRST");
    put(1);
    await using server = await start(
      { client_options: {} },
      {},
      {},
      {
        env: {
          AWS_SHARED_CREDENTIALS_FILE: join(directory, "credentials"),
          AWS_CONFIG_FILE: join(directory, "config"),
        },
      },
    );
    await receiver.waitForCount(1);
    model.faults.refusedKeys.set("AKIAFIRST", "ExpiredToken");
    model.endPolls();
    await until(async () => (await server.api("GET", "/health")).body.status !== "ok", { what: "a refusal" });
    write("AKIASECOND");
    put(1);
    await receiver.waitForCount(2);
    await until(async () => (await server.api("GET", "/health")).body.status === "ok", {
      timeoutMs: 90_000,
      what: "health",
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 240_000);

test("a missing permission ends the start with 78 and its name", async () => {
  model.create("webhooks");
  model.create("webhooks-dead");
  model.faults.denied.add("DeleteMessage");
  const { code, stderr } = await runExecutable(["serve"], {
    env: {
      QUEUE_DRIVER: "sqs",
      HOOKLINE_PORT: "0",
      QUEUE_SQS_ENDPOINT_URL: model.endpoint,
      SOKETI_QUEUE_SQS_CLIENT_OPTIONS: JSON.stringify(keys),
    },
  });
  expect([code, stderr]).toEqual([78, expect.stringContaining("sqs:DeleteMessage")]);
}, 120_000);

test("a configuration that comes through a pipe is read, although it can be read once only", async () => {
  model.create("webhooks");
  model.create("webhooks-dead");
  // It ends by itself then, with what only the configuration can have told it to ask.
  model.faults.denied.add("DeleteMessage");
  const config = JSON.stringify({
    server: { port: 0 },
    queue: { driver: "sqs", sqs: { endpoint_url: model.endpoint, client_options: keys } },
  });
  const { code, stderr } = await runExecutable(["serve", "--config", "/dev/stdin"], {
    command: ["sh", "-c", 'printf %s "$CONFIG" | "$0" "$@"', await ensureExecutable()],
    env: { CONFIG: config },
  });
  expect([code, stderr]).toEqual([78, expect.stringContaining("sqs:DeleteMessage")]);
}, 120_000);

test("sqs dump --delete onto a full disk: what is not in the file stays in the queue", async () => {
  const total = 40;
  put(total);
  const directory = mkdtempSync(join(tmpdir(), "hookline-dump-"));
  try {
    const file = join(directory, "out.jsonl");
    const { code } = await runExecutable(["sqs", "dump", "webhooks", file, "--delete"], {
      // No file may grow beyond 16 blocks of 512 bytes: three batches of ten lines do not fit.
      command: ["sh", "-c", 'ulimit -f 16; exec "$0" "$@"', await ensureExecutable()],
      env: {
        AWS_ACCESS_KEY_ID: "e2e",
        AWS_SECRET_ACCESS_KEY: "e2e",
        QUEUE_SQS_ENDPOINT_URL: model.endpoint,
      },
    });
    expect(code).not.toBe(0);
    const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
    const kept = lines.map((line) => (JSON.parse(line) as { MessageId: string }).MessageId);
    const queued = [...(model.queues.get("webhooks")?.messages.keys() ?? [])];
    expect(new Set([...kept, ...queued]).size).toBe(total);
    expect(queued.length).toBeGreaterThan(0);
    expect(queued.length).toBeLessThan(total);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 120_000);

test("hookline sqs in the executable", async () => {
  put(3);
  const env = {
    AWS_ACCESS_KEY_ID: "e2e",
    AWS_SECRET_ACCESS_KEY: "e2e",
    QUEUE_SQS_ENDPOINT_URL: model.endpoint,
  };
  const { code, stdout } = await runExecutable(["sqs", "ls"], { env });
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^webhooks +3 +0 +0$/m)]);
});
