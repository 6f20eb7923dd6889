import { afterEach, expect, test } from "bun:test";
import { answer, cut, hang, raw, type Receiver, startReceiver } from "./receiver.ts";

let receiver: Receiver | undefined;
afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
});

const post = (url: string, body: string, signal?: AbortSignal): Promise<Response> =>
  fetch(url, { method: "POST", body, ...(signal === undefined ? {} : { signal }) });

test("the receiver records method, path, headers and exact bytes", async () => {
  receiver = await startReceiver();
  const response = await fetch(`${receiver.url}/a?b=c`, {
    method: "POST",
    headers: { "X-Case": "kept" },
    body: "é1.0",
  });
  expect(await response.text()).toBe("ok");
  const request = await receiver.waitFor(1);
  expect(request.method).toBe("POST");
  expect(request.path).toBe("/a?b=c");
  expect(request.headers["x-case"]).toBe("kept");
  expect([...request.body]).toEqual([0xc3, 0xa9, 0x31, 0x2e, 0x30]);
});

test("the receiver takes thousands of requests over few connections", async () => {
  const server = await startReceiver({ record: false });
  receiver = server;
  const loop = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) await (await post(server.url, "x".repeat(300))).text();
  };
  await Promise.all(Array.from({ length: 30 }, loop));
  expect(server.count).toBe(3000);
  expect(server.connections).toBeLessThanOrEqual(60);
  expect(server.requests).toHaveLength(0);
});

test("the receiver chooses a behaviour per request", async () => {
  receiver = await startReceiver({ behaviour: (_request, n) => answer(n === 1 ? 500 : 204, { body: "" }) });
  expect((await post(receiver.url, "1")).status).toBe(500);
  expect((await post(receiver.url, "2")).status).toBe(204);
});

test("the receiver resets, closes, hangs and talks garbage", async () => {
  const server = await startReceiver();
  receiver = server;
  for (const behaviour of [cut("reset"), cut("close"), raw("SSH-2.0-OpenSSH_9.2\r\n")]) {
    server.behave(behaviour);
    expect(await post(server.url, "x").catch((error: unknown) => error)).toBeInstanceOf(Error);
  }
  server.behave(hang("head"));
  const controller = new AbortController();
  const pending = post(server.url, "x", controller.signal).catch((error: unknown) => error);
  await server.waitForCount(4);
  controller.abort();
  expect(await pending).toBeInstanceOf(Error);
});

test("waiting for a request that never comes is an error", async () => {
  receiver = await startReceiver();
  await expect(receiver.waitFor(1, 20)).rejects.toThrow("request 1 did not arrive");
});
