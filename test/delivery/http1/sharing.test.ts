import { afterEach, expect, test } from "bun:test";
import { Cut } from "../../../src/delivery/cut.ts";
import { createDestination } from "../../../src/delivery/destination.ts";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import { createProxy } from "../../../src/delivery/proxy.ts";
import type { Endpoint } from "../../../src/delivery/endpoint.ts";
import type { Transport } from "../../../src/delivery/transport.ts";
import { certificates } from "../../support/certificates.ts";
import { type Proxy, startProxy } from "../../support/proxy.ts";
import {
  answer,
  hang,
  raw,
  type Receiver,
  type ReceiverOptions,
  startReceiver,
} from "../../support/receiver.ts";
import { until } from "../../support/until.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Long enough for any round: on a busy machine one takes longer than connections are kept without a word. */
const keepAlive = { "keep-alive": "timeout=300" };

async function receive(options: ReceiverOptions = {}): Promise<Receiver> {
  const behaviour = answer(200, { headers: keepAlive });
  const receiver = await startReceiver({ record: false, behaviour, ...options });
  cleanups.push(() => receiver.close());
  return receiver;
}

async function proxyOf(options = {}): Promise<Proxy> {
  const proxy = await startProxy(options);
  cleanups.push(() => proxy.close());
  return proxy;
}

/** What each host leads to; everything is on this machine. */
function connect(...hosts: string[]): Transport {
  const names = fixedResolver(Object.fromEntries(hosts.map((host) => [host, ["127.0.0.1"]])));
  const transport = transportOver(createHttp1Exchange(), names);
  cleanups.push(() => transport.close());
  return transport;
}

async function deliver(transport: Transport, endpoints: readonly Endpoint[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const endpoint of endpoints) {
      expect(await attempt(transport, endpoint)).toMatchObject({ kind: "delivered" });
    }
  }
}

test("200 receivers in turn keep their connections", async () => {
  const receivers = await Promise.all(Array.from({ length: 200 }, () => receive()));
  const endpoints = receivers.map(({ url }) => httpEndpoint(url));
  await deliver(connect(), endpoints, 3);
  expect(receivers.map(({ count, connections }) => [count, connections])).toEqual(
    receivers.map(() => [3, 1]),
  );
});

test("200 names on one address keep a connection each", async () => {
  const receiver = await receive();
  const hosts = Array.from({ length: 200 }, (_unused, n) => `h${n}.test`);
  const endpoints = hosts.map((host) => httpEndpoint(`http://${host}:${receiver.port}/`));
  await deliver(connect(...hosts), endpoints, 3);
  expect([receiver.count, receiver.connections]).toEqual([600, 200]);
});

test("endpoints of one origin share a connection, whatever their path, headers and credentials", async () => {
  const receiver = await receive();
  const origin = `127.0.0.1:${receiver.port}`;
  const endpoints = [
    httpEndpoint(`http://${origin}/a`),
    httpEndpoint(`http://${origin}/b?c=d`),
    httpEndpoint(`http://user:pass@${origin}/`),
    httpEndpoint(`http://${origin}/a`, { headers: [["x-a", "b"]] }),
  ];
  await deliver(connect(), endpoints, 2);
  expect(receiver.connections).toBe(1);
});

test("endpoints of one origin and the same TLS settings share a connection", async () => {
  const { ca, server } = certificates();
  const receiver = await receive({ tls: server });
  const endpoints = ["/a", "/b"].map((path) =>
    httpEndpoint(`https://a.test:${receiver.port}${path}`, { tls: trusting(ca) }),
  );
  await deliver(connect("a.test"), endpoints, 2);
  expect(receiver.connections).toBe(1);
});

test("each difference in TLS settings has connections of its own", async () => {
  const { ca, server, client } = certificates();
  const receiver = await receive({ tls: { ...server, ca, requestCert: true, rejectUnauthorized: false } });
  const settings = [
    trusting(ca),
    // The same authority, written otherwise.
    trusting(`${ca}\n${ca}`),
    trusting(ca, client),
    trusting(ca, { minVersion: "TLSv1.2" }),
    trusting(ca, { minVersion: "TLSv1.3" }),
  ];
  const url = `https://a.test:${receiver.port}/`;
  const endpoints = settings.map((tls) => httpEndpoint(url, { tls }));
  endpoints.push(httpEndpoint(url.replace("a.test", "b.test"), { tls: trusting(ca) }));
  endpoints.push(httpEndpoint(url.replace("a.test", "127.0.0.1"), { tls: trusting(ca) }));
  await deliver(connect("a.test", "b.test"), endpoints, 3);
  expect(receiver.connections).toBe(endpoints.length);
});

test("each proxy, and each of its users, has connections of its own", async () => {
  const receiver = await receive();
  const [one, two] = [await proxyOf(), await proxyOf()];
  const url = `http://127.0.0.1:${receiver.port}/`;
  const proxies = [one, two].map(({ port }) => `http://127.0.0.1:${port}`);
  const users = ["ada", "bob"].map((user) => `http://${user}:x@127.0.0.1:${one.port}`);
  const endpoints = [...proxies, ...users].map((proxy) => httpEndpoint(url, { proxy: new URL(proxy) }));
  await deliver(connect(), [httpEndpoint(url), ...endpoints], 2);
  expect([one.connections, two.connections, receiver.connections]).toEqual([3, 1, 5]);
});

test("destinations behind one proxy have connections of their own", async () => {
  const receiver = await receive();
  const proxy = await proxyOf();
  const hosts = ["a.test", "b.test"];
  const endpoints = hosts.map((host) =>
    httpEndpoint(`http://${host}:${receiver.port}/`, { proxy: new URL(`http://127.0.0.1:${proxy.port}`) }),
  );
  await deliver(connect(...hosts), endpoints, 2);
  expect([proxy.connections, receiver.connections]).toEqual([2, 2]);
});

test("a connection to another address of the same name is not used, nor a proxy's where none is wanted", async () => {
  const here = await receive();
  const there = await receive({
    host: "127.0.0.2",
    port: here.port,
    behaviour: answer(201, { headers: keepAlive }),
  });
  // Whoever answers any request is proxy enough.
  const proxy = createProxy(new URL(`http://proxy.test:${here.port}`));
  const destination = createDestination(new URL(`http://a.test:${here.port}/`), []);
  const exchange = createHttp1Exchange();
  cleanups.push(() => exchange.close());
  const post = async (address: string, through: typeof proxy | null): Promise<number> => {
    const answer = await exchange.post({
      destination,
      address,
      proxy: through,
      headers: [],
      body: "",
      cut: new Cut(),
    });
    return answer.status;
  };
  for (let n = 0; n < 2; n++) {
    expect(await post("127.0.0.1", null)).toBe(200);
    // What was looked up and checked last is what is connected to.
    expect(await post("127.0.0.2", null)).toBe(201);
    expect(await post("127.0.0.1", proxy)).toBe(200);
  }
  expect([here.connections, there.connections]).toEqual([2, 1]);
});

test("400 attempts that hang do not hold up another", async () => {
  const [stuck, healthy] = [await receive({ behaviour: hang() }), await receive()];
  const transport = connect();
  const controller = new AbortController();
  const endpoint = httpEndpoint(stuck.url);
  const hanging = Array.from({ length: 400 }, () =>
    attempt(transport, endpoint, { signal: controller.signal, timeoutMs: 25_000 }),
  );
  await stuck.waitForCount(400);
  expect(await attempt(transport, httpEndpoint(healthy.url))).toMatchObject({ kind: "delivered" });
  // Another attempt at the same destination is not behind them either.
  stuck.behave(raw("HTTP/1.1 204 x\r\n\r\n", "keep"));
  expect(await attempt(transport, endpoint)).toMatchObject({ kind: "delivered" });
  controller.abort();
  const kinds = new Set((await Promise.all(hanging)).map(({ kind }) => kind));
  expect([...kinds]).toEqual(["aborted"]);
  await until(() => stuck.openConnections === 1, { what: "the hanging connections to be closed" });
});

test("as many connections are kept as attempts were in flight at once", async () => {
  const receiver = await receive({ behaviour: answer(200, { headers: keepAlive, delayMs: 30 }) });
  const transport = connect();
  const endpoint = httpEndpoint(receiver.url);
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 50 }, () => attempt(transport, endpoint)));
  }
  expect([receiver.count, receiver.connections]).toEqual([150, 50]);
});
