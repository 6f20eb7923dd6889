import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { createHttp1Exchange } from "../../../src/delivery/http1/exchange.ts";
import { writePost } from "../../../src/delivery/http1/request.ts";
import type { Transport } from "../../../src/delivery/transport.ts";
import { type BareServer, startBareServer } from "../../support/bare-server.ts";
import { certificates } from "../../support/certificates.ts";
import { type Receiver, type ReceiverOptions, startReceiver } from "../../support/receiver.ts";
import { attempt, fixedResolver, httpEndpoint, transportOver, trusting } from "../attempts.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function connect(): Transport {
  const transport = transportOver(createHttp1Exchange(), fixedResolver({ "a.test": ["127.0.0.1"] }));
  cleanups.push(() => transport.close());
  return transport;
}

async function receive(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver(options);
  cleanups.push(() => receiver.close());
  return receiver;
}

/** Answers 200 as soon as the head is there, and keeps every byte. */
async function listen(): Promise<BareServer> {
  const server = await startBareServer({
    onData: (socket, soFar) => {
      if (soFar.includes("\r\n\r\n")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    },
  });
  cleanups.push(() => server.close());
  return server;
}

const sha = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

describe("bytes on the wire", () => {
  test("are these, and no others", async () => {
    const server = await listen();
    const endpoint = httpEndpoint(`http://127.0.0.1:${server.port}/p?q=%C3%A9#f`);
    const headers = [
      ["content-type", "application/json"],
      ["X-Case", "Kept: a, b"],
    ] as const;
    await attempt(connect(), endpoint, { body: '{"a":"é😀"}', headers });
    expect(server.received(1)).toBe(
      [
        "POST /p?q=%C3%A9 HTTP/1.1",
        `host: 127.0.0.1:${server.port}`,
        "accept: */*",
        "accept-encoding: identity",
        "content-type: application/json",
        "X-Case: Kept: a, b",
        "content-length: 14",
        "",
        utf8('{"a":"é😀"}'),
      ].join("\r\n"),
    );
  });

  test.each([
    ["text with characters of 1 to 4 bytes", "aé€😀", utf8("aé€😀")],
    ["bytes that are no text", Uint8Array.of(0, 255, 13, 10, 128), "\x00\xff\r\n\x80"],
    ["an empty text", "", ""],
    ["a lone surrogate", "a\ud800b", utf8("a\ufffdb")],
  ])("a header in Latin-1 and a body of %s are both byte-exact", async (_what, body, sent) => {
    const server = await listen();
    const headers = [["x-name", "café \xff\x80\tend"]] as const;
    const endpoint = httpEndpoint(`http://127.0.0.1:${server.port}/`);
    for (const more of [{ headers }, {}]) {
      expect(await attempt(connect(), endpoint, { body, ...more })).toMatchObject({ kind: "delivered" });
    }
    expect(server.received(1)).toContain("\r\nx-name: caf\xe9 \xff\x80\tend\r\n");
    for (const n of [1, 2]) {
      expect(server.received(n)).toStartWith("POST / HTTP/1.1\r\n");
      expect(server.received(n)).toEndWith(`\r\ncontent-length: ${sent.length}\r\n\r\n${sent}`);
    }
  });

  test.each([
    ["plain", false],
    ["TLS", true],
  ])(
    "5 MB over %s arrive as they were, as text, as bytes, and beside a Latin-1 header",
    async (_what, secure) => {
      const { ca, server } = certificates();
      const receiver = await receive(secure ? { tls: server } : {});
      const transport = connect();
      const endpoint = secure
        ? httpEndpoint(`https://a.test:${receiver.port}/`, { tls: trusting(ca) })
        : httpEndpoint(receiver.url);
      const text = "0123456é89€😀\r\n".repeat(250_000);
      const bytes = Uint8Array.from({ length: 5_000_000 }, (_unused, n) => (n * 7 + (n >> 8)) & 0xff);
      const cases = [{ body: text }, { body: bytes }, { body: text, headers: [["x-name", "é"]] as const }];
      for (const more of cases) {
        expect(await attempt(transport, endpoint, { timeoutMs: 20_000, ...more })).toMatchObject({
          kind: "delivered",
        });
      }
      const seen = receiver.requests.map(({ body }) => [body.length, sha(body)]);
      expect(seen).toEqual(cases.map(({ body }) => [Buffer.byteLength(body), sha(body)]));
      expect(receiver.connections).toBe(1);
    },
  );
});

describe("a header that could be read as two", () => {
  test.each([
    ["a line end", "a\r\nx-evil: b"],
    ["a line feed", "a\nx-evil: b"],
    ["a carriage return", "a\rx-evil: b"],
    ["a NUL", "a\x00b"],
    ["a delete", "a\x7fb"],
    ["a character above U+00FF whose low byte is a line feed", "a\u010ab"],
    ["a line separator", "a\u2028b"],
  ])("%s in its value: nothing is sent, and the outcome is protocol", async (_what, value) => {
    const receiver = await receive();
    const outcome = await attempt(connect(), httpEndpoint(receiver.url), { headers: [["x-a", value]] });
    expect(outcome).toMatchObject({ kind: "protocol", code: "ERR_INVALID_CHAR" });
    expect([receiver.count, receiver.connections]).toEqual([0, 0]);
  });

  test("a value that cannot be sent takes no idle connection with it", async () => {
    const receiver = await receive();
    const transport = connect();
    const endpoint = httpEndpoint(receiver.url);
    await attempt(transport, endpoint);
    expect(await attempt(transport, endpoint, { headers: [["x-a", "\n"]] })).toMatchObject({
      kind: "protocol",
    });
    await attempt(transport, endpoint);
    expect([receiver.count, receiver.connections]).toEqual([2, 1]);
  });

  test("its value is not in the error, which may be logged", () => {
    let message = "";
    try {
      writePost("", [["x-secret", "hunter2\n"]], "");
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toContain("x-secret");
    expect(message).not.toContain("hunter2");
  });

  test.each(["/a b", "/a\r\nx-evil: 1", "/\u0131", "/?q=\n é", "//h/x"])(
    "the request line holds no raw %j of the URL",
    async (path) => {
      const server = await listen();
      await attempt(connect(), httpEndpoint(`http://127.0.0.1:${server.port}${path}`));
      const [line = "", host] = server.received(1).split("\r\n");
      expect(line).toMatch(/^POST \/[\x21-\x7e]* HTTP\/1\.1$/);
      expect(host).toBe(`host: 127.0.0.1:${server.port}`);
      expect(server.received(1)).not.toContain("\r\nx-evil");
    },
  );
});
