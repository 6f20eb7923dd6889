import { afterEach, describe, expect, test } from "bun:test";
import type { Transport } from "../../src/delivery/transport.ts";
import { certificates } from "../support/certificates.ts";
import { type Proxy, type ProxyOptions, startProxy } from "../support/proxy.ts";
import { hang, type Receiver, type ReceiverOptions, startReceiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { createHttp1Exchange } from "../../src/delivery/http1/exchange.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "./attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function receive(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver(options);
  cleanups.push(() => receiver.close());
  return receiver;
}

async function proxyOf(options: ProxyOptions = {}): Promise<Proxy> {
  const proxy = await startProxy(options);
  cleanups.push(() => proxy.close());
  return proxy;
}

const names = fixedResolver({
  "a.test": ["127.0.0.1"],
  "proxy.test": ["127.0.0.1"],
  "meta.test": ["169.254.169.254"],
});

describe("through a proxy", () => {
  const connect = (proxy: string, rules = {}): Transport => {
    const transport = transportOver(createHttp1Exchange(), names, { proxy, rules });
    cleanups.push(() => transport.close());
    return transport;
  };
  const secure = (port: number) =>
    httpEndpoint(`https://a.test:${port}/x`, { tls: trusting(certificates().ca) });

  test("plain HTTP goes by absolute URL, with the receiver's name in Host", async () => {
    const receiver = await receive();
    const proxy = await proxyOf();
    const outcome = await attempt(
      connect(`http://proxy.test:${proxy.port}`),
      httpEndpoint(`http://a.test:${receiver.port}/x?y=1`),
    );
    expect(outcome.kind).toBe("delivered");
    expect(proxy.lines).toEqual([`POST http://a.test:${receiver.port}/x?y=1 HTTP/1.1`]);
    expect((await receiver.waitFor(1)).headers["host"]).toBe(`a.test:${receiver.port}`);
  });

  test("TLS goes through a tunnel, and is checked against the receiver's name", async () => {
    const receiver = await receive({ tls: certificates().server });
    const other = await receive({ tls: certificates().selfSigned });
    const proxy = await proxyOf();
    const transport = connect(`http://127.0.0.1:${proxy.port}`);
    expect((await attempt(transport, secure(receiver.port))).kind).toBe("delivered");
    expect(proxy.lines).toEqual([`CONNECT a.test:${receiver.port} HTTP/1.1`]);
    expect((await receiver.waitFor(1)).path).toBe("/x");
    expect((await attempt(transport, secure(other.port))).kind).toBe("tls");
    expect(other.count).toBe(0);
  });

  test("credentials are given to the proxy and not to the receiver", async () => {
    const receiver = await receive();
    const hidden = await receive({ tls: certificates().server });
    const proxy = await proxyOf({ credentials: "us@er:p:ss" });
    const transport = connect(`http://us%40er:p%3Ass@127.0.0.1:${proxy.port}`);
    expect((await attempt(transport, secure(hidden.port))).kind).toBe("delivered");
    expect((await attempt(transport, httpEndpoint(`http://a.test:${receiver.port}/`))).kind).toBe(
      "delivered",
    );
    expect((await hidden.waitFor(1)).headers["proxy-authorization"]).toBeUndefined();
  });

  test("a proxy that refuses is a connect failure, to be tried again", async () => {
    const receiver = await receive({ tls: certificates().server });
    const proxy = await proxyOf({ credentials: "right:one" });
    const transport = connect(`http://127.0.0.1:${proxy.port}`);
    expect(await attempt(transport, secure(receiver.port))).toMatchObject({
      kind: "connect",
      code: "ERR_PROXY_TUNNEL_407",
    });
    expect(await attempt(transport, httpEndpoint(`http://a.test:${receiver.port}/`))).toMatchObject({
      kind: "connect",
      code: "proxy: 407",
    });
    expect(receiver.connections).toBe(0);
  });

  test("the target is held to the egress rules, and so is the proxy", async () => {
    const proxy = await proxyOf();
    const transport = connect(`http://127.0.0.1:${proxy.port}`);
    expect((await attempt(transport, httpEndpoint("http://meta.test/"))).kind).toBe("blocked");
    expect((await attempt(transport, httpEndpoint("http://169.254.169.254/"))).kind).toBe("blocked");
    const strict = connect(`http://proxy.test:${proxy.port}`, { deny: ["127.0.0.0/8"], allow: ["a.test"] });
    expect(await attempt(strict, httpEndpoint("http://a.test/"))).toMatchObject({
      kind: "connect",
      code: "proxy: deny 127.0.0.0/8 (127.0.0.1)",
    });
    expect(proxy.connections).toBe(0);
  });

  test("an endpoint's own proxy wins", async () => {
    const receiver = await receive();
    const [shared, own] = [await proxyOf(), await proxyOf()];
    const transport = connect(`http://127.0.0.1:${shared.port}`);
    const endpoint = httpEndpoint(`http://a.test:${receiver.port}/`, {
      proxy: new URL(`http://127.0.0.1:${own.port}`),
    });
    expect((await attempt(transport, endpoint)).kind).toBe("delivered");
    expect([shared.connections, own.connections]).toEqual([0, 1]);
  });

  test("a receiver that hangs behind the proxy meets the deadline", async () => {
    const receiver = await receive({ tls: certificates().server, behaviour: hang("head") });
    const proxy = await proxyOf();
    const outcome = await attempt(connect(`http://127.0.0.1:${proxy.port}`), secure(receiver.port), {
      timeoutMs: 150,
    });
    expect(outcome.kind).toBe("timeout");
    await until(() => receiver.openConnections === 0, { what: "the tunnel to be closed" });
  });

  test("a proxy spoken to over TLS must be who it says", async () => {
    const plain = await receive();
    const proxy = await proxyOf({ tls: certificates().selfSigned });
    const transport = connect(`https://127.0.0.1:${proxy.port}`);
    expect((await attempt(transport, httpEndpoint(`http://a.test:${plain.port}/`))).kind).toBe("tls");
    expect((await attempt(transport, secure(plain.port))).kind).toBe("tls");
    expect(proxy.heads).toEqual([]);
  });
});
