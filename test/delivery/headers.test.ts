import { describe, expect, test } from "bun:test";
import { deliveryHeaders, safeHeaderValue } from "../../src/delivery/headers.ts";
import { version } from "../../src/version.ts";
import { httpEndpoint } from "./attempts.ts";

const url = "http://receiver.test/";

test("headers come in the contract's order", () => {
  const endpoint = httpEndpoint(url, { headers: [["X-Tenant", "7"]] });
  const headers = deliveryHeaders(endpoint, {
    deliveryId: "job_00000000",
    signature: [
      ["x-pusher-key", "key"],
      ["x-pusher-signature", "abc"],
    ],
  });
  expect(headers).toEqual([
    ["content-type", "application/json"],
    ["user-agent", `hookline/${version}`],
    ["webhook-id", "job_00000000"],
    ["X-Tenant", "7"],
    ["x-pusher-key", "key"],
    ["x-pusher-signature", "abc"],
  ]);
});

test("a configured user agent replaces hookline's", () => {
  const endpoint = httpEndpoint(url, { headers: [["User-Agent", "mine/1"]] });
  const headers = deliveryHeaders(endpoint, { deliveryId: "a", signature: [] });
  expect(headers.filter(([name]) => name.toLowerCase() === "user-agent")).toEqual([["User-Agent", "mine/1"]]);
});

test("a raw message's content type and details travel, made safe", () => {
  const headers = deliveryHeaders(httpEndpoint(url), {
    deliveryId: "a",
    signature: [],
    contentType: "text/plain; charset=utf-8",
    details: [["x-hookline-queue", "ünï\r\nx-evil: 1"]],
  });
  expect(headers[0]).toEqual(["content-type", "text/plain; charset=utf-8"]);
  expect(headers[3]).toEqual(["x-hookline-queue", "%C3%BCn%C3%AF%0D%0Ax-evil:%201"]);
});

describe("safe header values", () => {
  test.each([
    ["plain text, with: signs", "plain text, with: signs"],
    ["", ""],
    ["100%", "100%25"],
    [" leading", "%20leading"],
    ["tab\tinside", "tab%09inside"],
    ["nul\0", "nul%00"],
    ["😀", "%F0%9F%98%80"],
    ["lone \ud800", "lone%20%EF%BF%BD"],
  ])("%j becomes %j", (text, safe) => {
    expect(safeHeaderValue(text)).toBe(safe);
    expect(decodeURIComponent(safe)).toBe(text.toWellFormed());
  });

  test("long text is cut between characters", () => {
    const safe = safeHeaderValue("é".repeat(10_000));
    expect(safe.length).toBeLessThanOrEqual(4096);
    expect(decodeURIComponent(safe)).toMatch(/^é+$/);
    expect(safeHeaderValue("a".repeat(5000))).toHaveLength(4096);
  });
});
