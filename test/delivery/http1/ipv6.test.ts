import { afterEach, describe, expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import type { Transport } from "../../../src/delivery/transport.ts";
import { certificates } from "../../support/certificates.ts";
import { type Proxy, type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { type Receiver, type ReceiverOptions, startReceiver } from "../../support/receiver.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function receive(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver({ host: "::1", ...options });
  cleanups.push(() => receiver.close());
  return receiver;
}

async function proxyOf(options: ProxyOptions = {}): Promise<Proxy> {
  const proxy = await startProxy({ host: "::1", resolve: (host) => host, ...options });
  cleanups.push(() => proxy.close());
  return proxy;
}

function connect(proxy?: Proxy): Transport {
  const names = fixedResolver({ "a.test": ["::1"] });
  const more = proxy === undefined ? {} : { proxy: `http://[::1]:${proxy.port}` };
  const transport = transportOver(createHttp1Exchange(), names, more);
  cleanups.push(() => transport.close());
  return transport;
}

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
);

// A container may have no ::1 at all.
describe.skipIf(!hasIpv6)("over IPv6", () => {
  const secure = (receiver: Receiver, host = "[::1]") =>
    httpEndpoint(`https://${host}:${receiver.port}/x`, { tls: trusting(certificates().ca) });

  test("a literal is connected to, named in Host with its brackets, and shared however it is written", async () => {
    const receiver = await receive();
    const transport = connect();
    for (const host of ["[::1]", "[0:0:0:0:0:0:0:1]"]) {
      const outcome = await attempt(transport, httpEndpoint(`http://${host}:${receiver.port}/x`));
      expect(outcome).toMatchObject({ kind: "delivered" });
    }
    expect(receiver.connections).toBe(1);
    expect(receiver.requests.map(({ headers }) => headers["host"])).toEqual(
      Array.from({ length: 2 }, () => `[::1]:${receiver.port}`),
    );
  });

  test("a name that leads to an IPv6 address is connected to", async () => {
    const receiver = await receive();
    const outcome = await attempt(connect(), httpEndpoint(`http://a.test:${receiver.port}/`));
    expect(outcome).toMatchObject({ kind: "delivered" });
  });

  test("a literal's certificate is checked for the address", async () => {
    const { server, selfSigned } = certificates();
    const receiver = await receive({ tls: server });
    expect(await attempt(connect(), secure(receiver))).toMatchObject({ kind: "delivered" });
    expect(await attempt(connect(), secure(receiver, "a.test"))).toMatchObject({ kind: "delivered" });
    const other = await receive({ tls: selfSigned });
    expect(await attempt(connect(), secure(other))).toMatchObject({ kind: "tls" });
  });

  test("a proxy's literal is connected to, and a destination's goes to it in brackets", async () => {
    const plain = await receive();
    const hidden = await receive({ tls: certificates().server });
    const proxy = await proxyOf();
    const transport = connect(proxy);
    for (let n = 0; n < 2; n++) {
      const outcomes = [
        await attempt(transport, httpEndpoint(`http://[::1]:${plain.port}/x`)),
        await attempt(transport, secure(hidden)),
      ];
      expect(outcomes).toMatchObject([{ kind: "delivered" }, { kind: "delivered" }]);
    }
    expect(proxy.lines).toEqual([
      `POST http://[::1]:${plain.port}/x HTTP/1.1`,
      `CONNECT [::1]:${hidden.port} HTTP/1.1`,
    ]);
    expect(hidden.requests[0]?.headers["host"]).toBe(`[::1]:${hidden.port}`);
    expect([plain.count, plain.connections, hidden.count, hidden.connections]).toEqual([2, 1, 2, 1]);
  });

  test("a certificate for other addresses is refused through a tunnel too", async () => {
    const hidden = await receive({ host: "127.0.0.2", tls: certificates().server });
    const proxy = await proxyOf();
    const endpoint = httpEndpoint(`https://127.0.0.2:${hidden.port}/`, { tls: trusting(certificates().ca) });
    expect(await attempt(connect(proxy), endpoint)).toMatchObject({
      kind: "tls",
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
    expect(hidden.count).toBe(0);
  });
});
