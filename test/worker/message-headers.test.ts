import { describe, expect, test } from "bun:test";
import { deliveryHeaders } from "../../src/delivery/headers.ts";
import type { JobBody } from "../../src/jobs/job.ts";
import type { MessageInfo } from "../../src/queue/driver.ts";
import type { Delivery } from "../../src/worker/delivery.ts";
import { messageHeaders } from "../../src/worker/message-headers.ts";
import { testEndpoint } from "../support/endpoint.ts";

const info: MessageInfo = { id: "m-1", group: null, receiveCount: 1, firstReceivedAt: null, attributes: {} };

interface Given {
  readonly message?: MessageInfo | null;
  readonly attributes?: Record<string, string>;
  readonly content?: JobBody;
}

/** What a receiver gets, by name; and the content type. */
function received({ message = info, attributes = {}, content = "{}" }: Given): Record<string, string> {
  const details = messageHeaders({
    held: { lease: { queue: "orders" } },
    jobId: "job-1",
    attempt: 2,
    message,
    content,
    job: { kind: "raw", attributes },
  } as unknown as Delivery);
  const headers = deliveryHeaders(testEndpoint(), {
    deliveryId: "job-1_00000000",
    signature: [],
    details,
    contentType: details.contentType,
  });
  // A real Headers object refuses what cannot be sent.
  return Object.fromEntries(new Headers(headers.map(([name, value]) => [name, value])));
}

/** As a backend's client makes it: an own key, whatever it is called. */
function attribute(name: string, value: string): Record<string, string> {
  return Object.defineProperty({}, name, { value, enumerable: true });
}

describe("what the backend says of a message", () => {
  test("id, queue, group, receive count and first-received time travel", () => {
    const message = {
      id: "m-7",
      group: "customer 4",
      receiveCount: 3,
      firstReceivedAt: 1_700_000_000_000,
      attributes: {},
    };
    expect(received({ message })).toMatchObject({
      "x-hookline-message-id": "m-7",
      "x-hookline-queue": "orders",
      "x-hookline-group": "customer 4",
      "x-hookline-receive-count": "3",
      "x-hookline-first-received-at": "2023-11-14T22:13:20.000Z",
    });
  });

  test("where it says nothing, the job's own id and attempt stand in", () => {
    const headers = received({ message: null });
    expect(headers).toMatchObject({ "x-hookline-message-id": "job-1", "x-hookline-receive-count": "2" });
    expect(Object.keys(headers).filter((name) => /group|first-received|attr|truncated/.test(name))).toEqual(
      [],
    );
  });
});

describe("attributes", () => {
  test.each([
    ["shoryuken_class", "OrderWorker", "x-hookline-attr-shoryuken_class", "OrderWorker"],
    ["Mixed.Case-Name", "v", "x-hookline-attr-mixed.case-name", "v"],
    ["discount", "100% off, a+b", "x-hookline-attr-discount", "100% off, a+b"],
    ["padded", " x ", "x-hookline-attr-padded-b64", "IHgg"],
    ["empty", "", "x-hookline-attr-empty-b64", ""],
    ["umlaut", "größe", "x-hookline-attr-umlaut-b64", Buffer.from("größe").toString("base64url")],
    [
      "evil",
      "a\r\nx-evil: 1",
      "x-hookline-attr-evil-b64",
      Buffer.from("a\r\nx-evil: 1").toString("base64url"),
    ],
    ["__proto__", "p", "x-hookline-attr-__proto__", "p"],
  ])("%s: %j travels as %s: %j", (name, value, header, sent) => {
    expect(received({ attributes: attribute(name, value) })[header]).toBe(sent);
  });

  test("too long, too many or without a header's name: left out and named", () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`n${index}`, "x".repeat(250)]));
    const headers = received({ attributes: { long: "y".repeat(257), "spaced name": "v", ...many } });
    const sent = Object.keys(headers).filter((name) => name.startsWith("x-hookline-attr-"));
    expect(sent).toHaveLength(16);
    const truncated = (headers["x-hookline-truncated"] ?? "").split(",");
    expect(truncated).toContain("long");
    expect(truncated).toContain(Buffer.from("spaced name").toString("base64url"));
    expect(truncated).toHaveLength(22 - 16);
  });

  const bytesOf = (headers: Record<string, string>): number =>
    Object.entries(headers)
      .filter(([name]) => /^x-hookline-(?:attr-|truncated)/.test(name))
      .reduce((sum, [name, value]) => sum + name.length + value.length + ": \r\n".length, 0);

  test.each<[string, Record<string, string>]>([
    ["5,000 of one letter", Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`a${n}`, "v"]))],
    [
      "5,000 with long names",
      Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`${"n".repeat(190)}${n}`, "v"])),
    ],
    [
      "5,000 without a header's name",
      Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`a ${n}`, "v"])),
    ],
    ["5,000 that are empty", Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`a${n}`, ""]))],
    ["one with a name of a megabyte", attribute("n".repeat(1_000_000), "v")],
    ["one with a name of a megabyte that is no header's", attribute("ä".repeat(1_000_000), "v")],
    ["one with a value of a megabyte", attribute("name", "ä".repeat(1_000_000))],
  ])("%s: 8 KiB of headers at most, and it is said that some are missing", (_what, attributes) => {
    const headers = received({ attributes });
    expect(bytesOf(headers)).toBeLessThanOrEqual(8_192);
    expect(headers["x-hookline-truncated"]).not.toBeUndefined();
  });

  test("names count as values do, and those that are left out are named whole", () => {
    const names = Array.from({ length: 60 }, (_, n) => `${"n".repeat(90)}${String(n).padStart(2, "0")}`);
    const headers = received({ attributes: Object.fromEntries(names.map((name) => [name, "v".repeat(8)])) });
    const sent = Object.keys(headers).filter((name) => name.startsWith("x-hookline-attr-"));
    expect(sent).toHaveLength(Math.floor(4_096 / (92 + 8)));
    const truncated = (headers["x-hookline-truncated"] ?? "").split(",");
    expect(truncated.at(-1)).toBe("...");
    expect(truncated.slice(0, -1)).toEqual(names.slice(40, 40 + truncated.length - 1));
  });
});

describe("the content type", () => {
  test.each<[JobBody, string]>([
    ['{"a":1}', "application/json"],
    [" [1, 2]\n", "application/json"],
    ['"text"', "application/json"],
    ["plain", "text/plain; charset=utf-8"],
    ["{unfinished", "text/plain; charset=utf-8"],
    ["", "text/plain; charset=utf-8"],
    [new Uint8Array([0, 255]), "application/octet-stream"],
  ])("of %j is %s", (content, type) => {
    expect(received({ content })["content-type"]).toBe(type);
  });
});
