import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import type { Transport } from "../../../src/delivery/transport.ts";
import { certificates } from "../../support/certificates.ts";
import { type Proxy, type ProxyOptions, startProxy } from "../../support/proxy.ts";
import { answer, type Receiver, type ReceiverOptions, startReceiver } from "../../support/receiver.ts";
import { until } from "../../support/until.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function receive(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver({ tls: certificates().server, ...options });
  cleanups.push(() => receiver.close());
  return receiver;
}

async function proxyOf(options: ProxyOptions = {}): Promise<Proxy> {
  const proxy = await startProxy(options);
  cleanups.push(() => proxy.close());
  return proxy;
}

const names = fixedResolver({ "a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"], localhost: ["127.0.0.1"] });

function through(proxy: Proxy, host = "127.0.0.1"): Transport {
  const transport = transportOver(createHttp1Exchange(), names, { proxy: `http://${host}:${proxy.port}` });
  cleanups.push(() => transport.close());
  return transport;
}

const secure = (port: number, host = "a.test") =>
  httpEndpoint(`https://${host}:${port}/x`, { tls: trusting(certificates().ca) });

describe("a tunnel", () => {
  test("is used for the next attempts at the same destination, and for no other", async () => {
    const receiver = await receive();
    const proxy = await proxyOf();
    const transport = through(proxy);
    for (let n = 0; n < 5; n++) {
      expect(await attempt(transport, secure(receiver.port))).toMatchObject({ kind: "delivered" });
    }
    expect([proxy.connections, receiver.connections, receiver.count]).toEqual([1, 1, 5]);
    expect(await attempt(transport, secure(receiver.port, "b.test"))).toMatchObject({ kind: "delivered" });
    expect(proxy.lines).toEqual(
      ["a.test", "b.test"].map((host) => `CONNECT ${host}:${receiver.port} HTTP/1.1`),
    );
  });

  test("that the receiver has closed is not used again", async () => {
    const receiver = await receive({ behaviour: answer(200, { after: "close" }) });
    const proxy = await proxyOf();
    const transport = through(proxy);
    for (let n = 1; n <= 3; n++) {
      expect(await attempt(transport, secure(receiver.port))).toMatchObject({ kind: "delivered" });
      await until(() => receiver.openConnections === 0, { what: "the tunnel to be closed" });
      expect(proxy.connections).toBe(n);
    }
  });

  test("carries 5 MB as they are", async () => {
    const receiver = await receive();
    const body = "é€😀 0123456789\n".repeat(240_000);
    const outcome = await attempt(through(await proxyOf()), secure(receiver.port), {
      body,
      timeoutMs: 20_000,
    });
    expect(outcome).toMatchObject({ kind: "delivered" });
    expect((await receiver.waitFor(1)).text === body).toBe(true);
  });

  test.each([
    ["a length of nothing", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"],
    ["a length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"],
    ["a coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["a close", "HTTP/1.1 200 OK\r\nconnection: close\r\nproxy-connection: close\r\n\r\n"],
    ["HTTP/1.0", "HTTP/1.0 200 Connection established\r\n\r\n"],
    ["another 2xx", "HTTP/1.1 299 x\r\n\r\n"],
    ["line feeds alone", "HTTP/1.1 200 OK\n\n"],
    ["an interim answer", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"],
  ])("granted with %s is a tunnel: it has no body (RFC 9110 §9.3.6)", async (_what, grant) => {
    const receiver = await receive();
    const proxy = await proxyOf({ grant });
    const transport = through(proxy);
    for (let n = 0; n < 2; n++) {
      expect(await attempt(transport, secure(receiver.port))).toMatchObject({ kind: "delivered" });
    }
    expect(proxy.connections).toBe(1);
  });

  test("is none where the proxy says more than its answer: TLS begins with our greeting", async () => {
    const receiver = await receive();
    const proxy = await proxyOf({ grant: "HTTP/1.1 200 OK\r\n\r\nhello" });
    const outcome = await attempt(through(proxy), secure(receiver.port));
    expect(outcome).toMatchObject({ kind: "connect", code: "ERR_PROXY_TUNNEL" });
    expect(receiver.count).toBe(0);
  });

  test("through a proxy that is spoken to over TLS is TLS in TLS, and is used again", async () => {
    const receiver = await receive();
    const proxy = await proxyOf({ tls: certificates().server });
    // A proxy's certificate is checked against the machine's authorities: this one, for a program of its own.
    const folder = mkdtempSync(join(tmpdir(), "hookline-proxy-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, certificates().ca);
    const program = resolve(import.meta.dir, "../../support/http1-attempts.ts");
    const url = `https://a.test:${receiver.port}/`;
    const child = Bun.spawn(
      [process.execPath, program, ca, `https://localhost:${proxy.port}`, url, url, url],
      {
        env: { ...process.env, NODE_EXTRA_CA_CERTS: ca },
        stdout: "pipe",
      },
    );
    cleanups.push(() => child.kill("SIGKILL"));
    const outcomes: unknown = JSON.parse(await new Response(child.stdout).text());
    expect(outcomes).toMatchObject(Array.from({ length: 3 }, () => ({ kind: "delivered" })));
    expect([proxy.connections, receiver.connections, receiver.count]).toEqual([1, 1, 3]);
    expect(await child.exited).toBe(0);
  });
});
