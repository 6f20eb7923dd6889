import { expect, test } from "bun:test";
import { problemKinds, type ProblemKind } from "../../src/problems/kinds.ts";
import { certificates } from "../support/certificates.ts";
import { startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis-server.ts";
import { createSqsModel } from "../support/sqs-model.ts";
import { until } from "../support/until.ts";

// Each kind is brought about, is listed with its remedy, seen in /health and /metrics, and gone when it is over. Kinds
// that have tests of their own for what brings them about are named at the end with these.

interface Listed {
  readonly kind: string;
  readonly object: string;
  readonly severity: string;
  readonly remedy: string;
  readonly detail: string;
}

const proven = new Set<ProblemKind>();

async function listed(server: Executable, kind: ProblemKind): Promise<Listed | undefined> {
  const problems = (await server.api("GET", "/v1/problems")).body as Listed[];
  return problems.find((problem) => problem.kind === kind);
}

/** Waits until it is there, and looks at all that shows it; answers its detail. */
async function begins(server: Executable, kind: ProblemKind, object: string): Promise<string> {
  const problem = await until(() => listed(server, kind), { what: `${kind} to begin` });
  const { severity, remedy } = problemKinds[kind];
  expect(problem).toMatchObject({ kind, object, severity, remedy });
  const health = await server.api("GET", "/health");
  expect(health.body.checks[kind]).toMatchObject({ severity });
  if (problemKinds[kind].object === "endpoint") expect(health.text).not.toContain(object);
  const metrics = (await server.api("GET", "/metrics")).text;
  expect(metrics).toContain(`hookline_problems{kind="${kind}",severity="${severity}"} 1\n`);
  return problem.detail;
}

async function ends(server: Executable, kind: ProblemKind): Promise<void> {
  await until(async () => (await listed(server, kind)) === undefined, { what: `${kind} to end` });
  const health = await server.api("GET", "/health");
  expect(Object.keys(health.body.checks)).not.toContain(kind);
  proven.add(kind);
}

const job = (endpoint: string, data: unknown = 1) => ({ type: "t", data, endpoint });

test("of a queue and its endpoints: lag, room, dead letters, retention, certificates", async () => {
  const tls = certificates();
  await using receiver = await startReceiver({ behaviour: answer(500), record: false });
  await using secure = await startReceiver({ tls: { cert: tls.server.cert, key: tls.server.key } });
  const config = (ca: string | null) => ({
    queue: {
      driver: "memory",
      queues: ["webhooks", "slow"],
      memory: { capacity: 10, when_full: "reject" },
      reliability: { failed_retention: 5 },
    },
    webhooks: { retry: { schedule_ms: [50], jitter: 0 } },
    operator_events: [{ endpoint: "ops", lag_ms: 1_000, types: [] }],
    endpoints: {
      ops: { url: receiver.url, signing: "none" },
      bad: { url: receiver.url, signing: "none", retry: { max_attempts: 1 } },
      secure: { url: secure.url, signing: "none", ...(ca === null ? {} : { tls: { ca } }) },
    },
  });
  await using server = await startExecutable(config(null));

  await server.api("POST", "/v1/queues/slow/pause");
  await server.enqueue(
    "slow",
    Array.from({ length: 9 }, () => job("ops")),
  );
  expect(await begins(server, "store_nearly_full", "slow")).toContain("9 of the 10 jobs");
  await server.enqueue("webhooks", job("secure"));
  expect(await begins(server, "certificate_refused", "secure")).toMatch(/certificate is refused: [A-Z_]+$/);
  await server.enqueue(
    "webhooks",
    Array.from({ length: 4 }, () => job("bad")),
  );
  expect(await begins(server, "dead_letters", "bad")).toContain("attempts_exhausted (queue webhooks)");
  expect(await begins(server, "retention_near", "webhooks")).toContain("dead letters of the 5");
  expect(await begins(server, "queue_lagging", "slow")).toMatch(/the oldest of 9 ready jobs has waited/);

  receiver.behave(answer(200));
  server.configure(config(tls.ca));
  expect((await server.api("POST", "/v1/config/reload")).status).toBe(200);
  await server.api("POST", "/v1/queues/slow/resume");
  await server.enqueue("webhooks", job("secure"));
  await ends(server, "certificate_refused");
  await ends(server, "store_nearly_full");
  await ends(server, "queue_lagging");
  await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 10 });
  await ends(server, "retention_near");
  await ends(server, "dead_letters");
});

test("of credentials and of the clock, as SQS refuses them", async () => {
  const model = createSqsModel();
  try {
    model.create("webhooks");
    await using server = await startExecutable({
      queue: {
        driver: "sqs",
        sqs: {
          endpoint_url: model.endpoint,
          client_options: { accessKeyId: "e2e", secretAccessKey: "e2e" },
          wait_time_seconds: 0,
          polling_wait_time_ms: 100,
        },
      },
      endpoints: { a: { url: "http://127.0.0.1:9/", signing: "none" } },
    });
    for (const [code, kind] of [
      ["ExpiredToken", "credentials_expired"],
      ["RequestExpired", "clock_off"],
    ] as const) {
      model.faults.refusedKeys.set("e2e", code);
      expect(await begins(server, kind, "webhooks")).toContain(code);
      model.faults.refusedKeys.clear();
      await ends(server, kind);
    }
  } finally {
    await model.stop();
  }
});

test("of reloads and of a loop that crashes", async () => {
  const config = (more: object, metrics: object = {}) => ({
    queue: { driver: "memory", memory: { concurrency: 1 } },
    endpoints: { a: { url: "http://127.0.0.1:9/", signing: "none", retry: { max_attempts: 1 } } },
    supervisor: { allow_crash: true, restart_delay_ms: 1_500 },
    metrics,
    ...more,
  });
  await using server = await startExecutable(config({}));
  const reload = async (partial = false): Promise<number> =>
    (await server.api("POST", "/v1/config/reload", { partial })).status;
  server.configure(config({ nonsense: 1 }));
  await reload();
  expect(await begins(server, "config_refused", "")).toContain("nonsense");
  const other = { queue: { driver: "memory", memory: { concurrency: 1 }, queues: ["webhooks", "other"] } };
  server.configure(config(other, { endpoint_series: 7 }));
  expect(await reload(true)).toBe(200);
  await ends(server, "config_refused");
  expect(await begins(server, "config_needs_restart", "")).toContain("queue.queues");
  server.configure(config({}));
  expect(await reload()).toBe(200);
  await ends(server, "config_needs_restart");
  const loop = "webhooks/settler";
  await server.api("POST", `/v1/workers/${loop}/crash`);
  // A child with nothing to do looks seldom whether it is to crash.
  await server.enqueue("webhooks", job("a"));
  await begins(server, "loop_restarting", loop);
  await ends(server, "loop_restarting");
});

test("of what the API stores: out of reach, and damaged", async () => {
  await using redis = await startRedis();
  const key = Buffer.alloc(32, 7).toString("base64");
  const config = {
    server: { encryption_key: key },
    queue: { driver: "redis", redis: { url_override: redis.url } },
  };
  const app = {
    key: "shop-key",
    secret: "shop-secret-of-this-test",
    webhooks: [{ url: "http://127.0.0.1:9/", event_types: ["*"] }],
  };
  await using server = await startExecutable(config);
  expect((await server.api("PUT", "/v1/apps/shop", app)).status).toBe(201);
  const hash = (await redis.client.keys("*:records"))[0] as string;
  await redis.client.rename(`${hash}:revisions`, `${hash}:aside`);
  await redis.client.set(`${hash}:revisions`, "x");
  // Whoever is asked for what it does not know looks for it.
  await server.api("POST", "/v1/apps/nobody/events", { events: [{ name: "a" }] });
  await begins(server, "stored_apps_unreachable", "");
  await redis.client.rename(`${hash}:aside`, `${hash}:revisions`);
  await ends(server, "stored_apps_unreachable");
  const fields = await redis.client.hkeys(hash);
  for (const field of fields) await redis.client.hset(hash, field, "damaged");
  await using second = await startExecutable(config);
  expect(await begins(second, "stored_apps_unreadable", "")).toContain("shop");
  await second.api("PUT", "/v1/apps/shop", app);
  await ends(second, "stored_apps_unreadable");
});

/** Where each other kind is brought about. */
const elsewhere: Partial<Record<ProblemKind, string>> = {
  backend_unreachable: "worker/poller.test.ts",
  backend_refuses_writes: "e2e/refused-writes.test.ts",
  queue_broken: "e2e/redis-broken.test.ts",
  shared_state_broken: "e2e/redis-broken.test.ts",
  not_durable: "e2e/redis-states.test.ts",
  snapshots_only: "drivers/redis-settings.test.ts",
  durability_unknown: "drivers/redis-settings.test.ts",
  backend_settings: "drivers/redis-settings.test.ts",
  dead_letters_fill: "drivers/memory.test.ts",
  undrained_jobs: "e2e/redis-states.test.ts",
  unsettled_deliveries: "e2e/sqs.test.ts",
  breaker_open: "e2e/visible-states.test.ts",
  endpoint_disabled: "e2e/visible-states.test.ts",
  endpoint_paused: "e2e/visible-states.test.ts",
  queue_paused: "e2e/visible-states.test.ts",
  encryption_key_missing: "e2e/apps.test.ts",
  stored_apps_shadowed: "stored/receivers.test.ts",
  history_not_written: "e2e/history-file.test.ts",
  process_behind: "e2e/ranks.test.ts",
  config_refused: "e2e/reload.test.ts",
};

test("every kind is brought about by a test", async () => {
  for (const kind of Object.keys(problemKinds) as ProblemKind[]) {
    if (proven.has(kind)) continue;
    const file = elsewhere[kind];
    expect([kind, typeof file]).toEqual([kind, "string"]);
    const text = await Bun.file(new URL(`../${file}`, import.meta.url)).text();
    expect([kind, file, text.includes(kind)]).toEqual([kind, file, true]);
  }
});
