import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runExecutable, startExecutable, token, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { startRedis, startSingleCluster, type RedisProcess } from "../support/redis-server.ts";
import { secret } from "../support/secrets.ts";
import { until } from "../support/until.ts";

const key = randomBytes(32).toString("base64");
const otherKey = randomBytes(32).toString("base64");
const keyId = createHash("sha256").update(Buffer.from(key, "base64")).digest("hex").slice(0, 8);
const rounds = process.env["HOOKLINE_LONG"] === "1" ? 1_000 : 60;

let receiver: Receiver;
let redis: RedisProcess;
let cluster: RedisProcess;
beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startSingleCluster()]);
});
afterAll(async () => {
  await Promise.all([redis.stop(), cluster.stop()]);
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

let prefixes = 0;
/** The configuration of a fleet of its own on one of the servers. */
function fleet(driver: "redis" | "redis-cluster", server: object = {}, rest: object = {}): object {
  prefixes += 1;
  const prefix = `apps-${process.pid}-${prefixes}:`;
  const { url } = driver === "redis" ? redis : cluster;
  return {
    server: { encryption_key: key, ...server },
    queue: {
      driver,
      redis: { url_override: redis.url, prefix },
      redis_cluster: { nodes: [url], prefix },
    },
    webhooks: { retry: { schedule_ms: [20] } },
    ...rest,
  };
}

const secrets = { app: secret("app"), header: secret("header"), path: secret("path"), key: secret("key") };
const appOf = (id: string, path: string, over: object = {}): object => ({
  key: `${secrets.key}-${id}`,
  secret: `${secrets.app}-${id}`,
  webhooks: [
    {
      name: "main",
      url: `${receiver.url}/${path}`,
      event_types: ["order"],
      headers: { "x-shop": secrets.header },
      ...over,
    },
  ],
});
const put = async (server: Executable, id: string, app: object): Promise<void> => {
  const { status, text } = await server.api("PUT", `/v1/apps/${id}`, app);
  if (status !== 200 && status !== 201) throw new Error(`${status} ${text}`);
};
const post = async (server: Executable, id: string, n: number): Promise<void> => {
  const events = [{ name: "order", channel: `c-${n}`, n }];
  const { status, text } = await server.api("POST", `/v1/apps/${id}/events`, { events });
  if (status !== 202) throw new Error(`${status} ${text}`);
};
const deadOf = async (server: Executable): Promise<{ id: string; reason: string; endpoint: string }[]> =>
  (await server.api("GET", "/v1/queues/webhooks/dead?limit=1000")).body.items;

for (const driver of ["redis", "redis-cluster"] as const) {
  describe(`processes on ${driver}`, () => {
    test(`an app that is put at one takes events at once at another, ${rounds} times of ${rounds}`, async () => {
      const config = fleet(driver);
      await using a = await startExecutable(config);
      await using b = await startExecutable(config);
      for (let n = 0; n < rounds; n += 1) {
        await put(a, `shop-${n}`, appOf(`shop-${n}`, `new-${n}`));
        await post(b, `shop-${n}`, n);
      }
      await receiver.waitForCount(rounds, 60_000);
      await a.untilIdle();
      const paths = receiver.requests.map(({ path }) => path);
      expect(new Set(paths)).toEqual(new Set(Array.from({ length: rounds }, (_, n) => `/new-${n}`)));
      expect(await deadOf(a)).toEqual([]);
    }, 240_000);

    test("an app that was changed is routed by what it is now, whichever process routes", async () => {
      const config = fleet(driver);
      await using a = await startExecutable(config);
      await using b = await startExecutable(config);
      await put(a, "shop", appOf("shop", "v-start"));
      await post(b, "shop", -1);
      await receiver.waitForCount(1);
      for (let n = 0; n < rounds; n += 1) {
        await put(a, "shop", appOf("shop", `v-${n}`));
        await post(b, "shop", n);
      }
      await receiver.waitForCount(rounds + 1, 60_000);
      // By none that is older than what was answered before the event was sent; the next one may be there already.
      const older = receiver.requests
        .slice(1)
        .filter(({ path, text }) => Number(path.slice("/v-".length)) < Number(/"n":(\d+)/.exec(text)?.[1]))
        .map(({ path, text }) => `${path} ${text}`);
      expect(older).toEqual([]);
    }, 240_000);
  });
}

test("nothing that is stored in Redis can be read without the key, and a lost key is a clear error", async () => {
  const config = fleet("redis");
  {
    await using a = await startExecutable(config);
    await put(a, "shop", appOf("shop", `hooks/${secrets.path}`));
    await a.api("PUT", "/v1/endpoints/-/billing", {
      url: `${receiver.url}/hooks/${secrets.path}`,
      headers: { authorization: `Bearer ${secrets.header}` },
    });
    const keys = await redis.client.keys(`*apps-${process.pid}-${prefixes}:*`);
    const dumps = await Promise.all(keys.map((name) => redis.client.dumpBuffer(name)));
    const hash = keys.find((name) => name.endsWith(":records")) as string;
    const values = await redis.client.hvalsBuffer(hash);
    expect(values).toHaveLength(2);
    const bytes = Buffer.concat([...dumps, ...values, Buffer.from(keys.join("\n"))]);
    for (const one of Object.values(secrets)) {
      for (const spelling of [one, Buffer.from(one).toString("base64").slice(0, -3)]) {
        expect(bytes.includes(spelling)).toBe(false);
      }
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "hookline-apps-"));
  try {
    const file = join(folder, "hookline.json");
    const { server, ...rest } = config as { server: object };
    for (const lost of [{ encryption_key: otherKey }, { encryption_key: null }]) {
      writeFileSync(file, JSON.stringify({ ...rest, server: { ...server, port: 0, token, ...lost } }));
      const run = await runExecutable(["serve", "--config", file]);
      expect({ code: run.code, out: run.stderr }).toMatchObject({ code: 78 });
      expect(run.stderr).toContain(`2 stored records are encrypted with the key ${keyId}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const rotated = { server: { encryption_key: otherKey, previous_encryption_keys: [key] } };
  await using c = await startExecutable({ ...config, ...rotated });
  expect((await c.api("GET", "/v1/apps/shop")).status).toBe(200);
  expect((await c.api("POST", "/v1/encryption/reencrypt")).body).toMatchObject({
    state: "done",
    reencrypted: 2,
    left: 0,
  });
  expect((await c.api("POST", "/v1/encryption/reencrypt")).body).toMatchObject({
    reencrypted: 0,
    left: 0,
  });
  await using d = await startExecutable({ ...config, server: { encryption_key: otherKey } });
  await post(d, "shop", 1);
  expect((await receiver.waitFor(1)).headers["x-shop"]).toBe(secrets.header);
}, 60_000);

test("a process that lacks the key is degraded, and its jobs wait for one that has it", async () => {
  const config = fleet("redis");
  await using blind = await startExecutable({ ...config, server: { encryption_key: otherKey } });
  await using a = await startExecutable(config);
  await put(a, "shop", appOf("shop", "seen"));
  await until(
    async () => (await blind.api("GET", "/health")).body.checks.encryption_key_missing !== undefined,
    { what: "the process without the key to say so" },
  );
  const problem = (await blind.api("GET", "/v1/problems")).body.find(
    ({ kind }: { kind: string }) => kind === "encryption_key_missing",
  );
  expect(problem).toMatchObject({ severity: "error" });
  expect(problem.detail).toContain(keyId);
  for (let n = 0; n < 60; n += 1) await post(a, "shop", n);
  await receiver.waitForCount(60, 30_000);
  expect(await deadOf(a)).toEqual([]);
  expect((await blind.api("PATCH", "/v1/apps/shop", {})).body.code).toBe("stored_unreadable");
}, 60_000);

test("jobs of a webhook that is removed are dead as endpoint_removed; put back and redriven they are delivered", async () => {
  receiver.behave(answer(503));
  await using a = await startExecutable(
    fleet("redis", {}, { webhooks: { retry: { schedule_ms: [600_000] } } }),
  );
  await put(a, "shop", appOf("shop", "main"));
  await post(a, "shop", 1);
  await receiver.waitForCount(1);
  await until(async () => (await a.stats()).delayed === 1, { what: "the retry to wait" });
  await a.api("POST", "/v1/endpoints/shop/main/pause");
  await post(a, "shop", 2);
  await until(async () => (await a.stats()).parked === 1 || (await a.stats()).ready === 1, {
    what: "the second to wait",
  });
  await put(a, "shop", { ...appOf("shop", "main"), webhooks: [] });
  const letter = await until(async () => (await deadOf(a))[0], {
    what: "the dead letter of an endpoint that is gone",
  });
  expect(letter).toMatchObject({ reason: "endpoint_removed", endpoint: "shop/main" });
  receiver.behave(answer(200));
  receiver.clear();
  await put(a, "shop", appOf("shop", "again"));
  await a.api("POST", "/v1/endpoints/shop/main/enable");
  await a.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 10 });
  expect((await receiver.waitFor(1, 60_000)).path).toBe("/again");
}, 120_000);

describe("driver file", () => {
  test("keeps stored apps over a restart, unreadable in every file of the store", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hookline-apps-"));
    const path = join(folder, "store");
    const config = {
      server: { encryption_key: key },
      queue: { driver: "file", file: { path, min_free_mb: 1 } },
    };
    try {
      {
        await using a = await startExecutable(config);
        await put(a, "shop", appOf("shop", `hooks/${secrets.path}`));
      }
      const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
      const bytes = Buffer.concat(files.map((one) => readFileSync(join(one.parentPath, one.name))));
      expect(bytes.includes("app:shop")).toBe(true);
      for (const one of Object.values(secrets)) expect(bytes.includes(one)).toBe(false);
      await using b = await startExecutable(config);
      await post(b, "shop", 1);
      expect((await receiver.waitFor(1)).path).toBe(`/hooks/${secrets.path}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  test("without a key nothing is stored, and the answer says what to set", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hookline-apps-"));
    try {
      await using a = await startExecutable({
        queue: { driver: "file", file: { path: join(folder, "store"), min_free_mb: 1 } },
      });
      const { status, body } = await a.api("PUT", "/v1/apps/shop", appOf("shop", "x"));
      expect({ status, code: body.code }).toEqual({ status: 422, code: "encryption_key_missing" });
      expect(body.detail).toContain("HOOKLINE_ENCRYPTION_KEY");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});

test("a driver that keeps nothing says so", async () => {
  await using a = await startExecutable({ queue: { driver: "none" } });
  expect((await a.api("PUT", "/v1/apps/shop", appOf("shop", "x"))).body.code).toBe("unsupported_by_driver");
  expect((await a.api("GET", "/v1/apps")).body).toMatchObject({ apps: [] });
});
