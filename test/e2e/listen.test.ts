import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { textLine } from "../../src/cli/listen-line.ts";
import { createWorkspace } from "../cli/command-io.ts";
import { runExecutable, startExecutable } from "../support/executable.ts";
import { startListening } from "../support/listen.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { secret } from "../support/secrets.ts";
import { app, configFor, jobNumber } from "./scenario.ts";

const key = `whsec_${Buffer.from(secret("signing").padEnd(32, "x")).toString("base64")}`;
let workspace: ReturnType<typeof createWorkspace>;
beforeAll(() => {
  workspace = createWorkspace();
  workspace.write("key", key);
  workspace.write("other-key", `whsec_${Buffer.alloc(32, 7).toString("base64")}`);
  workspace.write("secret", app.secret);
  workspace.write("other-secret", "no secret of ours");
});
afterAll(() => workspace[Symbol.dispose]());

const signed = (url: string, signing: string): object =>
  configFor([{ name: "main", url, signing, ...(signing === "pusher" ? {} : { signing_keys: [{ key }] }) }]);

test("listen takes the keys of a configuration, verifies both schemes, and answers in turn after a delay", async () => {
  workspace.write("both.json", JSON.stringify(signed("http://127.0.0.1:1/", "both")));
  const { cwd } = workspace;
  const args = ["--config", "both.json", "--respond", "500,200", "--delay", "50"];
  await using listening = await startListening(args, { cwd });
  await using server = await startExecutable(signed(listening.url, "both"));
  await server.enqueue("webhooks", jobNumber(1));
  await listening.untilLines(2);
  await server.untilIdle();
  await server.enqueue("webhooks", jobNumber(2));
  await server.untilIdle();
  const [first, second, third, ...more] = await listening.untilLines(3);
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    method: "POST",
    path: "/",
    attempt: 1,
    events: ["channel_occupied"],
    verified: true,
    signatures: ["webhook-signature", "x-pusher-signature"],
    answered: 500,
  });
  expect(first!.bytes).toBeGreaterThan(50);
  expect(Date.parse(first!.time)).not.toBeNaN();
  expect(second).toMatchObject({ webhook_id: first!.webhook_id, attempt: 2, verified: true, answered: 200 });
  // The last answer stays.
  expect(third).toMatchObject({ attempt: 1, answered: 200 });
  const { body } = await server.api("GET", "/v1/endpoints/shop/main/attempts");
  const durations = (body.attempts as { duration_ms: number }[]).map(({ duration_ms: ms }) => ms);
  expect(durations).toHaveLength(3);
  expect(Math.min(...durations)).toBeGreaterThanOrEqual(49);
  expect(await listening.stop("SIGINT")).toBe(0);
}, 120_000);

test("what is not verified is told why and answered 401; one scheme is enough, the other's key too", async () => {
  const { cwd } = workspace;
  const pusher = ["--pusher-key", app.key, "--pusher-secret-file"];
  await using right = await startListening(["--key-file", "key", ...pusher, "secret"], { cwd });
  await using wrong = await startListening(["--key-file", "other-key", ...pusher, "other-secret"], { cwd });
  await using none = await startListening([], { cwd });
  for (const signing of ["pusher", "standard"]) {
    await using server = await startExecutable(signed(right.url, signing));
    await server.enqueue("webhooks", jobNumber(1, signing));
    await server.untilIdle();
  }
  await using server = await startExecutable(
    configFor([
      { name: "wrong", url: wrong.url, signing: "both", signing_keys: [{ key }] },
      { name: "none", url: none.url },
    ]),
  );
  await server.enqueue("webhooks", jobNumber(1));
  await server.untilIdle();
  expect(await right.untilLines(2)).toMatchObject([
    { verified: true, signatures: ["x-pusher-signature"], answered: 200 },
    { verified: true, signatures: ["webhook-signature"], answered: 200 },
  ]);
  const [refused] = await wrong.untilLines(1);
  expect(refused).toMatchObject({ verified: false, answered: 401 });
  expect(refused!.reason).toContain("no signature fits");
  expect(refused!.reason).toContain("x-pusher-signature does not fit");
  expect(await none.untilLines(1)).toMatchObject([
    { verified: null, reason: "not checked: no key was given", answered: 200 },
  ]);
  // What is signed in no way, and is no JSON, is a line as well.
  await fetch(`${right.url}/health?x=1`);
  expect((await right.untilLines(3))[2]).toMatchObject({
    method: "GET",
    path: "/health?x=1",
    webhook_id: null,
    events: [],
    bytes: 0,
    verified: false,
    answered: 401,
  });
  expect(await right.stop("SIGTERM")).toBe(0);
  expect(await wrong.stop("SIGHUP")).toBe(0);
}, 120_000);

test("--forward passes the bytes and headers on and answers what comes back, without a proxy", async () => {
  const { cwd } = workspace;
  await using beyond = await startReceiver();
  beyond.behave((_request, n) =>
    n === 1
      ? answer(503, { headers: { "retry-after": "0", "x-beyond": "yes" }, body: "later" })
      : answer(204, { body: "" }),
  );
  const env = { HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:1" };
  const args = ["--pusher-secret-file", "secret", "--forward", `${beyond.url}/hook?a=%20b`];
  await using listening = await startListening(args, { cwd, env });
  const webhook = { name: "main", url: `${listening.url}/own`, headers: { "x-own": "one" } };
  await using server = await startExecutable(configFor([webhook]));
  await server.enqueue("webhooks", jobNumber(1));
  await server.untilIdle();
  expect(await listening.untilLines(2)).toMatchObject([
    { path: "/own", verified: true, answered: 503 },
    { path: "/own", verified: true, answered: 204, attempt: 2 },
  ]);
  const [first] = beyond.requests;
  expect(first).toMatchObject({ method: "POST", path: "/hook?a=%20b" });
  expect(first!.headers).toMatchObject({ "x-own": "one", "content-type": "application/json" });
  // hookline's own headers, each once: the forwarder adds none.
  const names = first!.rawHeaders.map(([name]) => name.toLowerCase());
  expect(new Set(names).size).toBe(names.length);
  expect(first!.headers["accept-encoding"]).toBe("identity");
  expect(first!.headers["host"]).toBe(new URL(beyond.url).host);
  expect(first!.headers["user-agent"]).toStartWith("hookline/");
  // The signature that hookline made fits what came: the body is the same to the last byte.
  expect(first!.headers["x-pusher-signature"]).toMatch(/^[0-9a-f]{64}$/);

  const odd = Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x0d, 0x7b]);
  beyond.behave(answer(418, { headers: { "x-beyond": "yes" }, body: "a teapot" }));
  const answered = await fetch(listening.url, { method: "PUT", body: odd });
  expect([answered.status, answered.headers.get("x-beyond"), await answered.text()]).toEqual([
    418,
    "yes",
    "a teapot",
  ]);
  expect(beyond.requests.at(-1)!.method).toBe("PUT");
  expect(Buffer.from(beyond.requests.at(-1)!.body)).toEqual(odd);

  // Compressed and in chunks: what the receiver wrote comes back as it wrote it.
  const zipped = Bun.gzipSync(Buffer.from("compressed"));
  const parts = [zipped.subarray(0, 5), zipped.subarray(5)];
  const chunks = parts.flatMap((part) => [`${part.length.toString(16)};x=y\r\n`, part, "\r\n"]);
  const head =
    "HTTP/1.1 103 Early Hints\r\nlink: no\r\n\r\n" +
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n";
  const bytes = Buffer.concat([head, ...chunks, "0\r\nx: y\r\n\r\n"].map((part) => Buffer.from(part)));
  beyond.behave({ do: "raw", bytes, after: "keep" });
  const back = await fetch(listening.url);
  expect([back.status, back.headers.get("link"), back.headers.getSetCookie(), await back.text()]).toEqual([
    200,
    null,
    ["a=1", "b=2"],
    "compressed",
  ]);
  beyond.behave({ do: "raw", bytes: "HTTP/1.1 200 OK\r\n\r\nuntil the end", after: "close" });
  expect(await (await fetch(listening.url)).text()).toBe("until the end");
  beyond.behave({ do: "raw", bytes: "no HTTP at all\r\n", after: "close" });
  expect((await fetch(listening.url)).status).toBe(502);
  beyond.behave({ do: "raw", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", after: "close" });
  expect((await fetch(listening.url)).status).toBe(502);

  await using nowhere = await startListening(["--forward", "http://127.0.0.1:1"], { cwd });
  expect((await fetch(nowhere.url)).status).toBe(502);
  expect((await nowhere.untilLines(1))[0]).toMatchObject({
    answered: 502,
    forward_error: expect.any(String),
  });
}, 120_000);

test("a body that is too large is answered 413, and the next request is served", async () => {
  await using listening = await startListening([], { cwd: workspace.cwd });
  const large = await fetch(listening.url, { method: "POST", body: Buffer.alloc(4 * 1024 * 1024 + 1, 0x20) });
  expect(large.status).toBe(413);
  const largest = await fetch(listening.url, { method: "POST", body: Buffer.alloc(4 * 1024 * 1024, 0x20) });
  expect(largest.status).toBe(200);
  expect(await listening.untilLines(2)).toMatchObject([
    { bytes: null, verified: false, answered: 413 },
    { bytes: 4 * 1024 * 1024, answered: 200 },
  ]);
});

test("a taken port, wrong flags and keys are told clearly", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const port = String((holder.address() as AddressInfo).port);
  try {
    const { code, stderr } = await runExecutable(["listen", "--port", port], { cwd: workspace.cwd });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `hookline: --port: 127.0.0.1:${port} is in use by another process; stop it, or set --port to a free port\n`,
    );
  } finally {
    holder.close();
  }
  const wrong: readonly (readonly [args: readonly string[], told: string])[] = [
    [["--respond", "500,abc"], "--respond: expected statuses from 200 to 599"],
    [["--respond", "100"], "--respond: expected statuses from 200 to 599"],
    [["--respond", "200", "--forward", "http://127.0.0.1:1"], "give one of them"],
    [["--forward", "localhost:3000"], "--forward: expected something like"],
    [["--delay", "-1"], "--delay"],
    [["--port", "70000"], "--port: expected a port of at most 65535"],
    [["--pusher-key", "k"], "--pusher-key needs"],
    [["--key", "nonsense"], "--key:"],
  ];
  for (const [args, told] of wrong) {
    const { code, stderr } = await runExecutable(["listen", "--port", "0", ...args], { cwd: workspace.cwd });
    expect([args, code, stderr.includes(told)]).toEqual([args, 2, true]);
  }
}, 60_000);

test("a line for people is one line, whatever a sender writes", () => {
  const hostile = "\u001b[31mx\r\nFAKE";
  const line = textLine({
    time: "2026-11-30T00:00:00.000Z",
    method: "POST",
    path: "/",
    webhookId: hostile,
    attempt: 2,
    events: [hostile],
    bytes: 12,
    verified: false,
    text: "x-pusher-signature is missing from the headers",
    answered: 401,
    fault: null,
  });
  expect(line.split("\n")).toHaveLength(2);
  expect(line).not.toContain("\u001b");
  expect(line).toContain("attempt 2");
  expect(line).toEndWith("NOT VERIFIED: x-pusher-signature is missing from the headers  answered 401\n");
});
