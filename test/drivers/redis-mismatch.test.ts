import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../src/errors.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import type { RedisDriverOptions } from "../../src/queue/drivers/redis/options.ts";
import { certificates } from "../support/certificates.ts";
import { clusterOf, newJob, redisDriver, wish } from "../support/redis-driver.ts";
import { freePort, startRedis, startSingleCluster } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;
const { ca, server: certificate } = certificates();
let folder: string;
let tlsPort: number;
let plain: RedisProcess;
let cluster: RedisProcess;
let sentinel: RedisProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookline-mismatch-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  tlsPort = await freePort();
  const tls = `--tls-port ${tlsPort} --tls-cert-file ${file("cert", certificate.cert)} --tls-key-file ${file("key", certificate.key)} --tls-ca-cert-file ${file("ca", ca)} --tls-auth-clients no`;
  [plain, cluster] = await Promise.all([startRedis({ args: tls.split(" ") }), startSingleCluster()]);
  sentinel = await startRedis({
    sentinel: true,
    args: [`sentinel monitor mine 127.0.0.1 ${plain.port} 1`],
  });
});
afterAll(async () => {
  await Promise.all([plain.stop(), cluster.stop(), sentinel.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

function watchedBy(port: number, masterName = "mine"): Partial<RedisDriverOptions> {
  return {
    target: {
      mode: "sentinel",
      sentinels: [{ host: "127.0.0.1", port }],
      masterName,
      sentinelPassword: null,
    },
  };
}

/** What opening ends with, within the time that a command may take. */
async function openingError(port: number, options: Partial<RedisDriverOptions>): Promise<Error> {
  const driver = redisDriver(port, { requestTimeoutMs: 1_000, ...options });
  try {
    await driver.open(never);
  } catch (error) {
    return error as Error;
  } finally {
    await driver.close();
  }
  throw new Error("the driver opened");
}

test("a server of another kind than the configuration says is a configuration error that says what to set", async () => {
  const web = Bun.serve({ port: 0, fetch: () => new Response("a page") });
  const cases: readonly (readonly [string, number, Partial<RedisDriverOptions>, string])[] = [
    [
      "a node of a cluster",
      cluster.port,
      {},
      "queue.driver: the server is a node of a Redis Cluster: set queue.driver to redis-cluster",
    ],
    [
      "a plain server for a cluster",
      plain.port,
      clusterOf(plain.port),
      "queue.redis_cluster.nodes: this server is not a Redis Cluster: set queue.driver to redis",
    ],
    ["a Sentinel for a server", sentinel.port, {}, "database.redis: the server is a Sentinel"],
    [
      "a Sentinel, with a database",
      sentinel.port,
      { db: 3 },
      "database.redis: the server does not know SELECT: it is a Sentinel",
    ],
    [
      "a Sentinel for a cluster",
      sentinel.port,
      clusterOf(sentinel.port),
      "queue.redis_cluster.nodes: the server does not know CLUSTER: it is a Sentinel",
    ],
    [
      "a server for a Sentinel",
      0,
      watchedBy(plain.port),
      "database.redis.sentinels: the server there is no Sentinel",
    ],
    [
      "a node of a cluster for a Sentinel",
      0,
      watchedBy(cluster.port),
      "database.redis.sentinels: the server there is no Sentinel",
    ],
    [
      "a name that the Sentinels do not know",
      0,
      watchedBy(sentinel.port, "other"),
      'database.redis.name: the Sentinels know no master named "other"',
    ],
    [
      "TLS to a server without",
      plain.port,
      { tls: { ca } },
      "database.redis: the server there speaks Redis without TLS",
    ],
    ["no TLS to a server with", tlsPort, {}, "database.redis: the server there speaks TLS"],
    [
      "TLS to a cluster without",
      cluster.port,
      { ...clusterOf(cluster.port), tls: { ca } },
      "queue.redis_cluster.nodes: the server there speaks Redis without TLS",
    ],
    ["a web server", web.port!, {}, "database.redis: what listens there does not speak Redis' protocol"],
  ];
  for (const [what, port, options, text] of cases) {
    const error = await openingError(port, options);
    expect(`${what}: ${error.constructor.name} ${error.message.slice(0, text.length)}`).toBe(
      `${what}: ${ConfigError.name} ${text}`,
    );
  }
  await web.stop(true);
}, 120_000);

test("a node of a cluster whose user may not ask INFO is told by its answers", async () => {
  await cluster.client.call("ACL", ..."SETUSER some on >secret ~* &* +@all -info".split(" "));
  await cluster.client.call("CLUSTER", "DELSLOTSRANGE", "0", "16383");
  try {
    const error = await openingError(cluster.port, { username: "some", password: "secret" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("set queue.driver to redis-cluster");
  } finally {
    await cluster.client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  }
});

/** A driver at a port where one server is replaced by another while it runs. */
async function replaced(
  options: (port: number) => Partial<RedisDriverOptions>,
  before: readonly string[],
  after: readonly string[],
): Promise<Error> {
  const port = await freePort();
  let redis = await startRedis({ args: ["--port", String(port), ...before], client: { port } });
  const driver: QueueDriver = redisDriver(port, { requestTimeoutMs: 1_000, ...options(port) });
  try {
    if (before.length > 0) await redis.client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    if (before.length > 0) {
      await until(async () => (await redis.client.cluster("INFO")).includes("cluster_state:ok"), {
        what: "the cluster to be ok",
      });
    }
    await driver.open(never);
    await driver.enqueue("webhooks", [newJob("a")]);
    const stop = new AbortController();
    let failures = 0;
    const leasing = (async () => {
      while (!stop.signal.aborted) {
        await driver.lease("webhooks", wish({ waitMs: 100, signal: stop.signal })).catch((error: Error) => {
          // Whoever leases only ever has to wait.
          failures += 1;
          expect(error.name).toBe("DriverUnavailableError");
        });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    await redis.stop();
    await until(() => failures > 0, { what: "a lease to fail" });
    redis = await startRedis({ args: ["--port", String(port), ...after], client: { port } });
    let found: Error | null = null;
    void driver.refused?.then((problem) => (found = problem));
    await until(
      async () => {
        // A connection that holds is asked nothing that tells the two apart.
        await redis.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        return found !== null;
      },
      { what: "the driver to refuse it", timeoutMs: 90_000, everyMs: 100 },
    );
    stop.abort();
    await leasing;
    return found as unknown as Error;
  } finally {
    await driver.close();
    await redis.stop();
  }
}

const asNode = "--cluster-enabled yes --cluster-announce-ip 127.0.0.1 --cluster-port".split(" ");

test("a server that becomes a node of a cluster while hookline runs", async () => {
  const error = await replaced(() => ({}), [], [...asNode, String(await freePort())]);
  expect(error.message).toContain("set queue.driver to redis-cluster");
}, 120_000);

test("a cluster that becomes a plain server while hookline runs", async () => {
  const error = await replaced((port) => clusterOf(port), [...asNode, String(await freePort())], []);
  expect(error.message).toContain("set queue.driver to redis");
}, 120_000);
