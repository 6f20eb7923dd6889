import { describe, expect, test } from "bun:test";
import { decodeJob, rawJob } from "../../src/jobs/decode.ts";
import { deliveryId, newJobId, safeJobId } from "../../src/jobs/id.ts";
import type { DecodedJob, GenericJob, PusherJob } from "../../src/jobs/job.ts";
import { jobIdPattern } from "../../src/jobs/job.ts";
import { encodeNative } from "../../src/jobs/native.ts";
import { createOddJson, createRandom } from "./odd-json.ts";

const payload = '{"time_ms":1.0, "events":[{"name":"a","channel":"c","x":12345678901234567890}]}';

function wire(text: string): PusherJob {
  const job = decodeJob(text, { format: "auto" });
  if (job.kind !== "pusher") throw new Error(JSON.stringify(job));
  return job;
}

function decode(text: string): DecodedJob {
  const job = decodeJob(text, { format: "auto" });
  if (job.kind === "malformed") throw new Error(job.detail);
  return job;
}

describe("the native envelope", () => {
  test("is what the architecture says, payload last and byte for byte", () => {
    const job = wire(
      `{"app_key":"k","app_id":"a","app_secret":"s","payload":${payload},"original_signature":"x"}`,
    );
    const text = encodeNative(
      { ...job, source: "native", appKey: null },
      { id: "j", endpoint: "e", deliveryId: "j_01234567" },
    );
    expect(text).toBe(
      `{"hookline":1,"id":"j","kind":"pusher","app_id":"a","endpoint":"e","delivery_id":"j_01234567","payload":${payload}}`,
    );
  });

  test("holds no app_secret", () => {
    const job = wire(`{"app_id":"a","app_secret":"s3cret","payload":${payload}}`);
    expect(encodeNative(job, { id: "j", endpoint: null, deliveryId: null })).not.toContain("s3cret");
  });

  test("keeps Soketi's signature, so that it is checked again at the next routing", () => {
    const job = wire(`{"appKey":"k","payload":${payload},"originalPusherSignature":"abc"}`);
    const again = decode(encodeNative(job, { id: "j", endpoint: "e", deliveryId: "d" }));
    expect(again).toEqual({ ...job, id: "j", endpoint: "e", deliveryId: "d" });
  });

  test("comes back as it went in, for 2,000 odd payloads", () => {
    const json = createOddJson(createRandom(7));
    for (let round = 0; round < 2000; round += 1) {
      const event = `{${json.space()}"name":${json.space()}"a","data":${json.value(3)}${json.space()}}`;
      const odd = `{"x":${json.value(2)},"time_ms":${json.space()}1.50,"events":[${json.space()}${event}]}`;
      const job: PusherJob = {
        kind: "pusher",
        source: "native",
        id: "j",
        appId: JSON.parse(json.string()) as string,
        appKey: null,
        payload: odd,
        events: [{ name: "a", channel: null }],
        signature: null,
        boundEvents: null,
        endpoint: JSON.parse(json.string()) as string,
        deliveryId: null,
      };
      const again = decode(encodeNative(job, { id: "j", endpoint: job.endpoint, deliveryId: null }));
      // An empty name is none.
      expect(again).toEqual({
        ...job,
        appId: job.appId === "" ? null : job.appId,
        endpoint: job.endpoint === "" ? null : job.endpoint,
      });
    }
  });

  test("carries a generic job", () => {
    const job: GenericJob = {
      kind: "generic",
      source: "native",
      id: "j",
      type: 'a"b',
      timestamp: "2026-01-02T00:00:00.000Z",
      data: '{"z":1e400, "a":"\\u00e9"}',
      appId: null,
      endpoint: "crm",
      deliveryId: "j_00000000",
    };
    expect(decode(encodeNative(job, { id: "j", endpoint: "crm", deliveryId: "j_00000000" }))).toEqual(job);
  });

  test.each([
    "",
    "text \u0000 \ud83d\ude00",
    '{"hookline":1}',
    new Uint8Array([0, 255, 128, 10]),
    new Uint8Array(0),
  ])("carries the raw content %#", (content) => {
    const text = encodeNative(
      { ...rawJob(content), attributes: { shoryuken_class: "W", __proto: "x" } },
      { id: "j", endpoint: "e", deliveryId: null },
    );
    for (const format of ["auto", "raw"] as const) {
      expect(decodeJob(text, { format })).toEqual({
        kind: "raw",
        source: "native",
        id: "j",
        content,
        endpoint: "e",
        deliveryId: null,
        attributes: { shoryuken_class: "W", __proto: "x" },
      });
    }
  });

  test("bytes that are a window on a larger buffer are carried alone", () => {
    const window = new Uint8Array([1, 2, 255, 4]).subarray(1, 3);
    const text = encodeNative(rawJob(window), { id: "j", endpoint: null, deliveryId: null });
    expect(decode(text)).toMatchObject({ content: new Uint8Array([2, 255]) });
  });
});

describe("ids", () => {
  test.each(["a", "A-b_9", "x".repeat(128)])("%s is taken as it is", (id) => expect(safeJobId(id)).toBe(id));

  test.each(["a.b", "", "é", "x".repeat(129), "a b", "a\n", "../x"])(
    "%j becomes 32 hex, always the same",
    (id) => {
      expect(safeJobId(id)).toMatch(/^[0-9a-f]{32}$/);
      expect(safeJobId(id)).toBe(safeJobId(id));
    },
  );

  test("different odd ids stay different", () => {
    expect(safeJobId("a.b")).not.toBe(safeJobId("a.c"));
  });

  test("the SHA-256 is that of the id's UTF-8", () => {
    // printf 'a.b' | sha256sum
    expect(safeJobId("a.b")).toBe("2e7336dc8eba87ef472df568c35482ab");
  });

  test("new ids fit the pattern and hold no dot", () => {
    const ids = Array.from({ length: 1000 }, () => newJobId());
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids) expect(id).toMatch(jobIdPattern);
  });

  test("the longest job id makes a delivery id that comes back from its envelope", () => {
    const id = deliveryId("x".repeat(128), "01234567");
    const job = wire(`{"app_id":"a","payload":${payload}}`);
    const again = decode(encodeNative(job, { id: "x".repeat(128), endpoint: "e", deliveryId: id }));
    expect(again.deliveryId).toBe(id);
  });
});
