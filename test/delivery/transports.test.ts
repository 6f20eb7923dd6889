import { afterEach, expect, test } from "bun:test";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { createTransports } from "../../src/delivery/transports.ts";
import { ConfigError } from "../../src/errors.ts";
import { certificates } from "../support/certificates.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { answer, type Receiver, startReceiver } from "../support/receiver.ts";
import { attempt } from "./attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function configOf(values: Record<string, unknown>): Promise<Config> {
  const sets = Object.entries(values).map(
    ([path, value]) => `${path}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const { config } = await loadConfig({ args: { sets, queues: [] }, env: {}, cwd: "/nonexistent" });
  return config;
}

async function receive(options = {}): Promise<Receiver> {
  const receiver = await startReceiver(options);
  cleanups.push(() => receiver.close());
  return receiver;
}

async function proxyOf(): Promise<Proxy> {
  const proxy = await startProxy();
  cleanups.push(() => proxy.close());
  return proxy;
}

/** What one attempt at a named endpoint of this configuration comes to. */
async function attemptWith(values: Record<string, unknown>, name = "one") {
  const config = await configOf(values);
  const transports = createTransports({ config, mask: (text) => text });
  cleanups.push(() => transports.close());
  const endpoint = createDirectory(config).findEndpoint(null, name);
  if (endpoint === null) throw new Error(`no endpoint ${name}`);
  return attempt(transports.of(endpoint), endpoint);
}

const unsigned = { signing: "none" };

test("an endpoint's TLS settings reach the connection", async () => {
  const { ca, server, client } = certificates();
  const receiver = await receive({ tls: { ...server, ca, requestCert: true, rejectUnauthorized: true } });
  const url = `https://127.0.0.1:${receiver.port}/`;
  const tls = { ca, cert: client.cert, key: client.key, min_version: "TLSv1.2" };
  expect(await attemptWith({ endpoints: { one: { url, tls, ...unsigned } } })).toMatchObject({
    kind: "delivered",
  });
  expect((await attemptWith({ endpoints: { one: { url, ...unsigned } } })).kind).toBe("tls");
});

test("egress.proxy carries deliveries, and an endpoint's own proxy wins", async () => {
  const receiver = await receive();
  const [shared, own] = [await proxyOf(), await proxyOf()];
  const url = `http://127.0.0.1:${receiver.port}/`;
  const endpoints = {
    one: { url, ...unsigned },
    two: { url, proxy: `http://127.0.0.1:${own.port}`, ...unsigned },
  };
  const values = { endpoints, "egress.proxy": `http://127.0.0.1:${shared.port}` };
  expect(await attemptWith(values, "one")).toMatchObject({ kind: "delivered" });
  expect(await attemptWith(values, "two")).toMatchObject({ kind: "delivered" });
  expect([shared.connections, own.connections]).toEqual([1, 1]);
});

test("egress rules reach the attempt", async () => {
  const receiver = await receive();
  // By name: what forbids the URL as it is written is a configuration error already.
  const endpoints = { one: { url: `http://localhost:${receiver.port}/`, ...unsigned } };
  const blocked = await attemptWith({ endpoints, "egress.deny_private": true });
  expect(blocked).toMatchObject({ kind: "blocked", code: expect.stringMatching(/^private \((127|::1)/) });
  const denied = await attemptWith({ endpoints, "egress.deny": ["127.0.0.0/8", "::1"] });
  expect(denied).toMatchObject({ kind: "blocked", code: expect.stringMatching(/^deny (127|::1)/) });
  expect(receiver.connections).toBe(0);
});

test("a function is invoked through the Lambda transport", async () => {
  const api = await receive({ behaviour: answer(202) });
  const client_options = { accessKeyId: "a", secretAccessKey: "b", endpoint: api.url };
  const lambda = { function_name: "on-webhook", region: "eu-west-1", async: true, client_options };
  expect(await attemptWith({ endpoints: { one: { lambda, ...unsigned } } })).toMatchObject({
    kind: "delivered",
    status: 202,
  });
});

test("unknown Lambda options are configuration errors, all listed at once", async () => {
  const config = await configOf({
    endpoints: { one: { lambda: { function_name: "f", client_options: { agent: "x" } }, ...unsigned } },
    apps: [
      {
        id: "1",
        key: "k",
        secret: "s",
        webhooks: [{ lambda: { function_name: "g", client_options: { logger: "x" } }, event_types: ["a"] }],
      },
    ],
  });
  let thrown: unknown;
  try {
    createTransports({ config, mask: (text) => text });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ConfigError);
  expect((thrown as ConfigError).issues.map(({ path }) => path)).toEqual([
    "endpoints.one.lambda.client_options.agent",
    "apps.0.webhooks.0.lambda.client_options.logger",
  ]);
});

test("a hundred TLS receivers keep their connections", async () => {
  const { ca, server } = certificates();
  // They say how long they keep a connection: a round of a busy machine takes longer than what is usual.
  const behaviour = answer(200, { headers: { "keep-alive": "timeout=300" } });
  const receivers = await Promise.all(
    Array.from({ length: 100 }, () => receive({ tls: server, record: false, behaviour })),
  );
  const config = await configOf({
    endpoints: Object.fromEntries(
      receivers.map(({ port }, i) => [
        `r${i}`,
        { url: `https://127.0.0.1:${port}/`, tls: { ca }, ...unsigned },
      ]),
    ),
  });
  const transports = createTransports({ config, mask: (text) => text });
  cleanups.push(() => transports.close());
  const directory = createDirectory(config);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < receivers.length; i++) {
      const endpoint = directory.findEndpoint(null, `r${i}`);
      if (endpoint === null) throw new Error("no endpoint");
      expect(await attempt(transports.of(endpoint), endpoint)).toMatchObject({ kind: "delivered" });
    }
  }
  expect(receivers.map(({ connections }) => connections)).toEqual(receivers.map(() => 1));
});
