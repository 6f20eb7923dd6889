import { expect, test } from "bun:test";
import { startExecutable, type Executable } from "../support/executable.ts";
import { freePort, startRedis, startSingleCluster } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { configFor } from "./scenario.ts";

function config(url: string): object {
  return configFor([], { queue: { driver: "redis", redis: { url_override: url } } });
}

/** What the executable says of one kind of problem, in every way that it says it. */
async function saidOf(hookline: Executable, kind: string) {
  const [health, problems, metrics] = await Promise.all([
    hookline.api("GET", "/health"),
    hookline.api("GET", "/v1/problems"),
    hookline.api("GET", "/metrics"),
  ]);
  return {
    status: health.body.status as string,
    durable: health.body.durable as unknown,
    check: health.body.checks[kind] as Record<string, unknown> | undefined,
    remedies: (problems.body as { kind: string; remedy: string }[])
      .filter((problem) => problem.kind === kind)
      .map(({ remedy }) => remedy),
    gauge: Number(
      new RegExp(`^hookline_problems\\{kind="${kind}",.*\\} (\\d+)$`, "m").exec(metrics.text)?.[1],
    ),
  };
}

function logged(hookline: Executable, text: string): number {
  return hookline.logs().filter(({ msg }) => msg.includes(text)).length;
}

test("a Redis that writes nothing to disk, and jobs of others, are told until they are over", async () => {
  await using redis = await startRedis();
  await using hookline = await startExecutable(config(redis.url));
  expect(await saidOf(hookline, "not_durable")).toMatchObject({
    status: "degraded",
    durable: false,
    check: { status: "degraded", detail: expect.stringContaining("Set appendonly to yes") as unknown },
    remedies: [expect.stringContaining("appendonly yes") as unknown],
    gauge: 1,
  });
  expect(logged(hookline, "appendonly is off and there are no snapshots")).toBe(1);
  expect((await hookline.api("GET", "/health/ready")).status).toBe(200);
  // Soketi's own queue, found by the first step of the look, after 12 s.
  await redis.client.rpush("some:app:client_event_webhooks:wait", "1");

  await redis.client.config("SET", "appendonly", "yes");
  await until(async () => (await saidOf(hookline, "not_durable")).durable === true, {
    what: "the end to be told",
    everyMs: 100,
  });
  expect(await saidOf(hookline, "not_durable")).toMatchObject({ durable: true, gauge: 0, remedies: [] });
  expect(logged(hookline, "jobs are written to disk now")).toBe(1);

  // And back again, while it runs.
  await redis.client.config("SET", "appendonly", "no");
  await until(async () => (await saidOf(hookline, "not_durable")).durable === false, {
    what: "the state to be told again",
    everyMs: 100,
  });

  await until(async () => (await saidOf(hookline, "undrained_jobs")).gauge === 1, {
    what: "jobs of others to be found",
    timeoutMs: 90_000,
    everyMs: 200,
  });
  expect(await saidOf(hookline, "undrained_jobs")).toMatchObject({
    check: {
      status: "degraded",
      detail: "BullMQ (Soketi) keeps its jobs there, which hookline does not read",
    },
  });
  expect(logged(hookline, "some:app:client_event_webhooks:wait")).toBe(1);
}, 240_000);

test("redis on a node of a cluster ends with 78 and what to set, at the start and later", async () => {
  await using cluster = await startSingleCluster();
  const refused = startExecutable(config(cluster.url), { waitReady: false });
  expect(await refused.then(String, String)).toMatch(/ended with 78[^]*set queue.driver to redis-cluster/);

  const port = await freePort();
  const plain = await startRedis({ args: ["--port", String(port)], client: { port } });
  await using hookline = await startExecutable(config(`redis://127.0.0.1:${port}`));
  await plain.stop();
  const node = `--port ${port} --cluster-enabled yes --cluster-announce-ip 127.0.0.1 --cluster-port ${await freePort()}`;
  await using later = await startRedis({ args: node.split(" "), client: { port } });
  expect(later.port).toBeGreaterThan(0);
  expect(await hookline.exited).toBe(78);
  expect(hookline.output()).toContain("set queue.driver to redis-cluster");
}, 240_000);
