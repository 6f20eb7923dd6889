import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { systemClock } from "../../src/clock.ts";
import { createResolver } from "../../src/delivery/dns/resolver.ts";
import type { Transport } from "../../src/delivery/transport.ts";
import { certificates } from "../support/certificates.ts";
import { startDnsServer } from "../support/dns-server.ts";
import {
  answer,
  type Behaviour,
  cut,
  hang,
  raw,
  type Receiver,
  type ReceiverOptions,
  redirect,
  startReceiver,
} from "../support/receiver.ts";
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

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}

describe("over HTTP/1.1", () => {
  const connect = (resolver?: Parameters<typeof transportOver>[1]): Transport => {
    const transport = transportOver(createHttp1Exchange(), resolver);
    cleanups.push(() => transport.close());
    return transport;
  };

  test("the receiver gets method, path, headers and exact bytes", async () => {
    const receiver = await receive();
    const endpoint = httpEndpoint(`${receiver.url}/hook/a%20b?x=1&y=%C3%A9#part`);
    const outcome = await attempt(connect(), endpoint, {
      body: '{"n":12345678901234567890,"é":1.0}',
      headers: [
        ["content-type", "application/json"],
        ["webhook-id", "job_1234"],
        ["X-Custom", "kept"],
      ],
    });
    expect(outcome).toMatchObject({ kind: "delivered", status: 200 });
    const request = await receiver.waitFor(1);
    expect(request.method).toBe("POST");
    expect(request.path).toBe("/hook/a%20b?x=1&y=%C3%A9");
    expect(request.text).toBe('{"n":12345678901234567890,"é":1.0}');
    expect(request.headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      "content-type": "application/json",
      "content-length": String(request.body.length),
      "webhook-id": "job_1234",
      "x-custom": "kept",
      "accept-encoding": "identity",
    });
    expect(request.headers["transfer-encoding"]).toBeUndefined();
    expect(request.rawHeaders.filter(([name]) => name.toLowerCase() === "host")).toHaveLength(1);
  });

  test("bytes that are not text arrive as they are", async () => {
    const receiver = await receive();
    const body = new Uint8Array([0, 255, 128, 10, 13, 0]);
    await attempt(connect(), httpEndpoint(receiver.url), { body });
    expect([...(await receiver.waitFor(1)).body]).toEqual([...body]);
  });

  test("an empty body is sent as an empty body", async () => {
    const receiver = await receive();
    expect(await attempt(connect(), httpEndpoint(receiver.url), { body: "" })).toMatchObject({ status: 200 });
    expect((await receiver.waitFor(1)).headers["content-length"]).toBe("0");
  });

  test("the Host header is the name, and the connection goes to the resolved address", async () => {
    const receiver = await receive();
    const transport = connect(fixedResolver({ "hooks.test": ["127.0.0.1"] }));
    await attempt(transport, httpEndpoint(`http://Hooks.Test:${receiver.port}/`));
    expect((await receiver.waitFor(1)).headers["host"]).toBe(`hooks.test:${receiver.port}`);
  });

  test("credentials in the URL become Basic authorization, and never part of the path", async () => {
    const receiver = await receive();
    const url = `http://us%40er:p%3Ass@127.0.0.1:${receiver.port}/x`;
    await attempt(connect(), httpEndpoint(url));
    const request = await receiver.waitFor(1);
    expect(request.headers["authorization"]).toBe(`Basic ${btoa("us@er:p:ss")}`);
    expect(request.path).toBe("/x");
    expect(request.headers["host"]).toBe(`127.0.0.1:${receiver.port}`);
  });

  test("a configured authorization wins over the URL's credentials", async () => {
    const receiver = await receive();
    const endpoint = httpEndpoint(`http://user:pass@127.0.0.1:${receiver.port}/`, {
      headers: [["Authorization", "Bearer token"]],
    });
    await attempt(connect(), endpoint, { headers: endpoint.headers });
    expect((await receiver.waitFor(1)).headers["authorization"]).toBe("Bearer token");
  });

  test("one connection carries one attempt after the other", async () => {
    const receiver = await receive();
    const transport = connect();
    const endpoint = httpEndpoint(receiver.url);
    for (let i = 0; i < 50; i++) await attempt(transport, endpoint);
    expect(receiver.count).toBe(50);
    expect(receiver.connections).toBe(1);
  });

  test("failing answers keep their connection too", async () => {
    const receiver = await receive({ behaviour: (_request, n) => answer(n % 2 === 0 ? 503 : 429) });
    const transport = connect();
    for (let i = 0; i < 20; i++) await attempt(transport, httpEndpoint(receiver.url));
    expect(receiver.connections).toBe(1);
  });

  const statuses: [string, Behaviour, object][] = [
    ["200", answer(200), { kind: "delivered", status: 200 }],
    [
      "204 with a body",
      raw("HTTP/1.1 204 No\r\ncontent-length: 3\r\n\r\nabc", "keep"),
      { kind: "delivered", status: 204 },
    ],
    [
      "an interim 100",
      raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\ncontent-length: 0\r\n\r\n", "keep"),
      { kind: "delivered", status: 201 },
    ],
    [
      "HTTP/1.0 until close",
      raw("HTTP/1.0 200 OK\r\n\r\nhello", "close"),
      { kind: "delivered", status: 200 },
    ],
    ["500", answer(500), { kind: "http_status", status: 500, retryAfterMs: null }],
    ["410", answer(410), { kind: "http_status", status: 410 }],
    ["999", answer(999), { kind: "http_status", status: 999 }],
    [
      "429 with Retry-After",
      answer(429, { headers: { "Retry-After": "7" } }),
      { kind: "http_status", status: 429, retryAfterMs: 7000 },
    ],
    [
      "301",
      redirect(301, "https://elsewhere.test/secret?token=1"),
      { kind: "redirect", status: 301, location: "https://elsewhere.test" },
    ],
    ["302 without Location", answer(302), { kind: "redirect", status: 302, location: null }],
    [
      "307 to a relative path",
      redirect(307, "//other.test/x"),
      { kind: "redirect", status: 307, location: "http://other.test" },
    ],
    ["308 to nonsense", redirect(308, "http://["), { kind: "redirect", status: 308, location: null }],
    ["304", answer(304, { body: "" }), { kind: "redirect", status: 304 }],
    [
      "100 KB of headers",
      answer(200, { headers: { big: "x".repeat(100_000) } }),
      { kind: "delivered", status: 200 },
    ],
    ["a reset before the answer", cut("reset"), { kind: "reset", code: "ECONNRESET" }],
    ["a close before the answer", cut("close"), { kind: "reset", code: "ECONNRESET" }],
    ["half a head", raw("HTTP/1.1 200 O"), { kind: "reset" }],
    [
      "half a body, then a close",
      raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"),
      { kind: "reset" },
    ],
    [
      "half a body, then a reset",
      raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", "reset"),
      { kind: "reset" },
    ],
    ["another protocol", raw("SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), { kind: "protocol" }],
    [
      "2 MB of headers",
      raw(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(2_000_000)}\r\n\r\n`, "keep"),
      { kind: "protocol" },
    ],
    [
      "a bad chunk",
      raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc", "keep"),
      { kind: "protocol" },
    ],
    ["a bad length", raw("HTTP/1.1 200 OK\r\ncontent-length: abc\r\n\r\nabc", "keep"), { kind: "protocol" }],
    [
      "two lengths",
      raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabc", "keep"),
      { kind: "protocol" },
    ],
  ];
  test.each(statuses)("%s", async (_what, behaviour, expected) => {
    const receiver = await receive({ behaviour });
    const outcome = await attempt(connect(), httpEndpoint(receiver.url));
    expect(outcome).toMatchObject(expected);
    expect(outcome.durationMs).toBeGreaterThanOrEqual(0);
    expect(receiver.count).toBe(1);
  });

  test("a redirect is never followed", async () => {
    const target = await receive();
    const receiver = await receive({ behaviour: (_request, n) => redirect(300 + n, `${target.url}/next`) });
    const transport = connect();
    for (let n = 1; n <= 8; n++) {
      expect(await attempt(transport, httpEndpoint(receiver.url))).toMatchObject({ kind: "redirect" });
    }
    expect(target.count).toBe(0);
  });

  test.each([
    ["head", hang("head")],
    ["body", hang("body")],
    ["body, a byte at a time", { do: "drip", everyMs: 5 }],
  ] as [string, Behaviour][])("the deadline ends a hang in the %s", async (_where, behaviour) => {
    const receiver = await receive({ behaviour });
    const outcome = await attempt(connect(), httpEndpoint(receiver.url), { timeoutMs: 100 });
    expect(outcome.kind).toBe("timeout");
    expect(outcome.durationMs).toBeGreaterThanOrEqual(95);
    await until(() => receiver.openConnections === 0, { what: "the connection to be closed" });
  });

  test("an answer that never ends is judged by its status, and cut off", async () => {
    const receiver = await receive({ behaviour: { do: "endless" } });
    const outcome = await attempt(connect(), httpEndpoint(receiver.url));
    expect(outcome).toMatchObject({ kind: "delivered", status: 200 });
    await until(() => receiver.openConnections === 0, { what: "the connection to be closed" });
  });

  test("a compressed bomb is not inflated", async () => {
    const bomb = gzipSync(new Uint8Array(200 * 1024 * 1024));
    const receiver = await receive({
      behaviour: answer(200, { headers: { "content-encoding": "gzip" }, body: bomb }),
    });
    const transport = connect();
    await attempt(transport, httpEndpoint(receiver.url));
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 5; i++) {
      expect(await attempt(transport, httpEndpoint(receiver.url))).toMatchObject({ kind: "delivered" });
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);
  });

  test.each([
    ["head", hang("head")],
    ["body", hang("body")],
  ] as [string, Behaviour][])(
    "an abort in the %s is an abort, not a failure of the receiver",
    async (_where, behaviour) => {
      const receiver = await receive({ behaviour });
      const controller = new AbortController();
      const pending = attempt(connect(), httpEndpoint(receiver.url), { signal: controller.signal });
      await receiver.waitForCount(1);
      controller.abort();
      expect((await pending).kind).toBe("aborted");
      await until(() => receiver.openConnections === 0, { what: "the connection to be closed" });
    },
  );

  test("an attempt that is aborted before it starts sends nothing", async () => {
    const receiver = await receive();
    const outcome = await attempt(connect(), httpEndpoint(receiver.url), { signal: AbortSignal.abort() });
    expect(outcome).toEqual({ kind: "aborted", durationMs: 0 });
    expect(receiver.connections).toBe(0);
  });

  test("a port where nobody listens is a connect failure", async () => {
    const outcome = await attempt(connect(), httpEndpoint(`http://127.0.0.1:${await deadPort()}/`));
    expect(outcome).toMatchObject({ kind: "connect", code: "ECONNREFUSED" });
  });

  test("a dead address is passed over for the name's next one, and remembered", async () => {
    const receiver = await receive();
    const transport = connect(fixedResolver({ "two.test": ["127.0.0.2", "127.0.0.1"] }));
    const endpoint = httpEndpoint(`http://two.test:${receiver.port}/`);
    for (let i = 0; i < 3; i++)
      expect(await attempt(transport, endpoint)).toMatchObject({ kind: "delivered" });
    expect(receiver.count).toBe(3);
  });

  test("an address that hangs is not the first one of the next attempt", async () => {
    const healthy = await receive();
    const held = new Set<Socket>();
    const stuck = createServer((socket) => held.add(socket));
    await new Promise<void>((resolve, reject) => {
      stuck.once("error", reject);
      stuck.listen(healthy.port, "127.0.0.2", resolve);
    });
    cleanups.push(() => {
      for (const socket of held) socket.destroy();
      return new Promise((resolve) => stuck.close(resolve));
    });
    const transport = connect(fixedResolver({ "two.test": ["127.0.0.2", "127.0.0.1"] }));
    const endpoint = httpEndpoint(`http://two.test:${healthy.port}/`);
    expect(await attempt(transport, endpoint, { timeoutMs: 100 })).toMatchObject({ kind: "timeout" });
    expect(await attempt(transport, endpoint, { timeoutMs: 2000 })).toMatchObject({ kind: "delivered" });
  });

  test("a name that does not exist is a dns failure", async () => {
    const outcome = await attempt(connect(fixedResolver({})), httpEndpoint("http://nowhere.test/"));
    expect(outcome).toMatchObject({ kind: "dns", code: "ENOTFOUND" });
  });

  test("a silent name server delays its own endpoint only", async () => {
    const dns = await startDnsServer(() => "silence");
    cleanups.push(() => dns.close());
    const receiver = await receive();
    const transport = connect(
      createResolver({
        clock: systemClock,
        servers: [dns.address],
        timeoutMs: 2_000,
        hostsPath: "/nonexistent",
      }),
    );
    const stuck = Array.from({ length: 20 }, (_, i) =>
      attempt(transport, httpEndpoint(`http://s${i}.test/`)),
    );
    const late = attempt(transport, httpEndpoint("http://late.test/"), { timeoutMs: 50 });
    const well = attempt(transport, httpEndpoint(receiver.url));
    // Whoever waited for the silent server would come after it was given up.
    expect(await Promise.race([well, ...stuck])).toMatchObject({ kind: "delivered" });
    expect((await late).kind).toBe("timeout");
    for (const outcome of await Promise.all(stuck)) {
      expect(outcome).toMatchObject({ kind: "dns", code: "ETIMEOUT" });
    }
  });

  test("a server that closes right after answering costs no answered attempt", async () => {
    const receiver = await receive({
      behaviour: answer(200, { after: "close", headers: { connection: "close" } }),
    });
    const transport = connect();
    for (let i = 0; i < 20; i++) {
      expect(await attempt(transport, httpEndpoint(receiver.url))).toMatchObject({ kind: "delivered" });
    }
    expect(receiver.count).toBe(20);
  });

  test("a connection closed without a word after an answer repeats nothing by itself", async () => {
    const receiver = await receive({ behaviour: answer(200, { after: "close" }) });
    const transport = connect();
    const kinds = new Map<string, number>();
    for (let i = 0; i < 50; i++) {
      const { kind } = await attempt(transport, httpEndpoint(receiver.url));
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    // The next request may meet the closing: that is a reset, counted as an attempt and decided upon.
    expect((kinds.get("delivered") ?? 0) + (kinds.get("reset") ?? 0)).toBe(50);
    expect(receiver.count).toBeGreaterThanOrEqual(kinds.get("delivered") ?? 0);
    expect(receiver.count).toBeLessThanOrEqual(50);
  });

  test("a request that is lost on a used connection is not sent twice", async () => {
    const receiver = await receive({ behaviour: (_request, n) => (n === 1 ? answer(200) : cut("reset")) });
    const transport = connect();
    expect(await attempt(transport, httpEndpoint(receiver.url))).toMatchObject({ kind: "delivered" });
    expect(await attempt(transport, httpEndpoint(receiver.url))).toMatchObject({ kind: "reset" });
    expect(receiver.count).toBe(2);
    expect(receiver.connections).toBe(1);
  });

  test("the environment's proxy is not used", async () => {
    const proxy = await receive();
    const receiver = await receive();
    process.env["HTTP_PROXY"] = process.env["http_proxy"] = proxy.url;
    try {
      await attempt(connect(), httpEndpoint(receiver.url));
    } finally {
      delete process.env["HTTP_PROXY"];
      delete process.env["http_proxy"];
    }
    expect([proxy.count, receiver.count]).toEqual([0, 1]);
  });

  describe("with TLS", () => {
    const tlsEndpoint = (receiver: Receiver, host = "a.test", more = {}) =>
      httpEndpoint(`https://${host}:${receiver.port}/`, { tls: trusting(certificates().ca, more) });
    const named = { "a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"], "wrong.test": ["127.0.0.1"] };

    test("a trusted certificate for the name delivers, over one connection", async () => {
      const receiver = await receive({ tls: certificates().server });
      const transport = connect(fixedResolver(named));
      const endpoint = tlsEndpoint(receiver);
      for (let i = 0; i < 5; i++) {
        expect(await attempt(transport, endpoint)).toMatchObject({ kind: "delivered" });
      }
      expect(receiver.connections).toBe(1);
      expect(receiver.requests[0]?.headers["host"]).toBe(`a.test:${receiver.port}`);
    });

    test("an IP address in the URL is checked against the certificate's addresses", async () => {
      const receiver = await receive({ tls: certificates().server });
      expect(await attempt(connect(), tlsEndpoint(receiver, "127.0.0.1"))).toMatchObject({
        kind: "delivered",
      });
    });

    test("a certificate for another name is refused before anything is sent", async () => {
      const receiver = await receive({ tls: certificates().server });
      const outcome = await attempt(connect(fixedResolver(named)), tlsEndpoint(receiver, "wrong.test"));
      expect(outcome).toMatchObject({ kind: "tls", code: "ERR_TLS_CERT_ALTNAME_INVALID" });
      expect(receiver.count).toBe(0);
    });

    test("a name does not ride on another name's connection", async () => {
      const receiver = await receive({ tls: certificates().server });
      const transport = connect(fixedResolver(named));
      await attempt(transport, tlsEndpoint(receiver, "a.test"));
      expect(await attempt(transport, tlsEndpoint(receiver, "wrong.test"))).toMatchObject({ kind: "tls" });
      await attempt(transport, tlsEndpoint(receiver, "b.test"));
      expect(receiver.count).toBe(2);
    });

    test("an endpoint without the authority does not ride on a trusting one's connection", async () => {
      const receiver = await receive({ tls: certificates().server });
      const transport = connect(fixedResolver(named));
      await attempt(transport, tlsEndpoint(receiver));
      const strict = httpEndpoint(`https://a.test:${receiver.port}/`);
      expect(await attempt(transport, strict)).toMatchObject({ kind: "tls" });
      expect(receiver.count).toBe(1);
    });

    test.each([
      ["an expired", "expired"],
      ["a self-signed", "selfSigned"],
    ] as const)("%s certificate is a tls failure", async (_what, which) => {
      const receiver = await receive({ tls: certificates()[which] });
      const outcome = await attempt(connect(fixedResolver(named)), tlsEndpoint(receiver));
      expect(outcome.kind).toBe("tls");
      expect(receiver.count).toBe(0);
    });

    test("the environment cannot switch the check off", async () => {
      const receiver = await receive({ tls: certificates().selfSigned });
      process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
      try {
        const outcome = await attempt(connect(fixedResolver(named)), tlsEndpoint(receiver));
        expect(outcome.kind).toBe("tls");
      } finally {
        delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      }
      expect(receiver.count).toBe(0);
    });

    test("TLS to a plain port is a tls failure", async () => {
      const receiver = await receive();
      expect(await attempt(connect(fixedResolver(named)), tlsEndpoint(receiver))).toMatchObject({
        kind: "tls",
      });
    });

    test("a client certificate is sent where it is configured", async () => {
      const { ca, server, client } = certificates();
      const receiver = await receive({ tls: { ...server, ca, requestCert: true, rejectUnauthorized: true } });
      const transport = connect(fixedResolver(named));
      expect((await attempt(transport, tlsEndpoint(receiver))).kind).not.toBe("delivered");
      expect(await attempt(transport, tlsEndpoint(receiver, "a.test", client))).toMatchObject({
        kind: "delivered",
      });
    });

    test("a receiver below the minimum version is refused", async () => {
      const receiver = await receive({ tls: { ...certificates().server, maxVersion: "TLSv1.2" } });
      const transport = connect(fixedResolver(named));
      const demanding = tlsEndpoint(receiver, "a.test", { minVersion: "TLSv1.3" });
      expect(await attempt(transport, demanding)).toMatchObject({ kind: "tls" });
      const content = tlsEndpoint(receiver, "a.test", { minVersion: "TLSv1.2" });
      expect(await attempt(transport, content)).toMatchObject({ kind: "delivered" });
    });
  });
});
