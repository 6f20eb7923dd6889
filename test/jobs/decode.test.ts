import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { decodeJob } from "../../src/jobs/decode.ts";
import type { DecodedJob, JobBody, PusherJob } from "../../src/jobs/job.ts";
import { verifySoketiSignature } from "../../src/jobs/soketi.ts";
import soketiMessages from "../fixtures/soketi-1.6.1-sqs-fifo.json";

const payload =
  '{"time_ms":12345678901234567890, "events":[{"name":"a","channel":"c","n":1.0},{"name":"b"}]}';
const events = [
  { name: "a", channel: "c" },
  { name: "b", channel: null },
];
const now = Date.UTC(2026, 0, 2);

function decode(body: JobBody, format: "auto" | "raw" = "auto"): DecodedJob {
  const job = decodeJob(body, { format, now });
  if (job.kind === "malformed") throw new Error(job.detail);
  return job;
}

function detailOf(body: JobBody): string {
  const job = decodeJob(body, { format: "auto", now });
  if (job.kind !== "malformed") throw new Error(`taken as ${job.kind}`);
  return job.detail;
}

describe("Sockudo", () => {
  const plain = `{"app_key":"k","app_id":"app-1","app_secret":"s3cret","payload":${payload},"original_signature":"app-1:c:channel_occupied"}`;

  test("a job of v2 to v4 is taken with its payload's bytes and without its secret", () => {
    const job = decode(plain);
    expect(job).toEqual({
      kind: "pusher",
      source: "sockudo",
      id: null,
      appId: "app-1",
      appKey: "k",
      payload,
      events,
      signature: null,
      endpoint: null,
      boundEvents: null,
      deliveryId: null,
    });
    expect(JSON.stringify(job)).not.toContain("s3cret");
  });

  test("job_id is the job's id", () => {
    expect(decode(plain.replace("{", '{"job_id":"j-1",')).id).toBe("j-1");
  });

  test("the id of v5's envelope counts before the job's own", () => {
    const inner = plain.replace("{", '{"job_id":"inner",');
    expect(decode(`{"version":2,"id":"outer","data":${inner}}`)).toMatchObject({
      source: "sockudo",
      id: "outer",
      payload,
    });
    expect(decode(`{"version":2,"data":${inner}}`).id).toBe("inner");
    expect(decode(`{"version":2,"id":null,"data":${plain}}`).id).toBeNull();
  });

  test("an app id that is a number keeps its spelling", () => {
    expect(decode(`{"app_id":12345678901234567890,"payload":${payload}}`)).toMatchObject({
      appId: "12345678901234567890",
      appKey: null,
    });
  });

  test("the payload is the last of two, and its key may be spelled with escapes", () => {
    const twice = `{"app_id":"a","payload":{"time_ms":1,"events":[]},"\\u0070ayload":${payload}}`;
    expect((decode(twice) as PusherJob).payload).toBe(payload);
  });
});

describe("Soketi", () => {
  test.each(soketiMessages.map(({ body }, at) => [at, body] as const))(
    "captured message %i of 1.6.1 decodes and verifies",
    (_, body) => {
      const job = decode(body) as PusherJob;
      expect(job).toMatchObject({ source: "soketi", appId: "app-1", appKey: "app-key", id: null });
      expect(body).toContain(`"payload":${job.payload},`);
      const signature = job.signature as string;
      expect(verifySoketiSignature(job.payload, signature, ["app-secret"])).toBe(true);
      expect(verifySoketiSignature(job.payload, signature, ["new", "app-secret"])).toBe(true);
      expect(verifySoketiSignature(job.payload, signature, ["other"])).toBe(false);
      expect(
        verifySoketiSignature(job.payload.replace("time_ms", "time_mz"), signature, ["app-secret"]),
      ).toBe(false);
    },
  );

  test.each(["", "00", "zz".repeat(32), "é".repeat(64), "0".repeat(64), "0".repeat(10_000)])(
    "signature %# is refused, not thrown over",
    (signature) => expect(verifySoketiSignature(payload, signature, ["secret"])).toBe(false),
  );

  test("a signature in upper case is the same one", () => {
    const signature = createHmac("sha256", "secret").update(payload).digest("hex");
    expect(verifySoketiSignature(payload, signature.toUpperCase(), ["secret"])).toBe(true);
  });

  test("the signature is over the bytes as they stand, not over what JSON.stringify makes of them", () => {
    const signature = createHmac("sha256", "secret").update(payload).digest("hex");
    const job = decode(
      `{"appId":"a","payload": ${payload} ,"originalPusherSignature":"${signature}"}`,
    ) as PusherJob;
    expect(verifySoketiSignature(job.payload, signature, ["secret"])).toBe(true);
  });

  test("a job with both spellings of the app id is Soketi's, which must be signed", () => {
    expect(detailOf(`{"app_id":"a","appId":"a","payload":${payload}}`)).toContain("originalPusherSignature");
  });
});

describe("generic", () => {
  test("a job for a named endpoint keeps its data's bytes and gets a timestamp", () => {
    expect(decode('{"type":"order.created","data": {"total":1.00} ,"endpoint":"crm","id":"o-1"}')).toEqual({
      kind: "generic",
      source: "native",
      id: "o-1",
      type: "order.created",
      timestamp: "2026-01-02T00:00:00.000Z",
      data: '{"total":1.00}',
      appId: null,
      endpoint: "crm",
      deliveryId: null,
    });
  });

  test("a timestamp that is there is kept, and data may be any value", () => {
    const job = decode('{"type":"t","data":null,"app_id":"a","timestamp":"2020-01-01T00:00:00Z"}');
    expect(job).toMatchObject({ timestamp: "2020-01-01T00:00:00Z", data: "null", appId: "a" });
  });

  test.each([
    ['{"type":"t","data":1,"endpoint":"a","app_id":"b"}', "either endpoint or app_id"],
    ['{"type":"t","data":1}', "either endpoint or app_id"],
    ['{"type":"","data":1,"endpoint":"a"}', "type:"],
    ['{"type":7,"data":1,"endpoint":"a"}', "type:"],
    ['{"type":"t","data":1,"endpoint":7}', "endpoint:"],
    ['{"type":"t","data":1,"app_id":""}', "app_id:"],
    ['{"type":"t","data":1,"endpoint":"a","url":"http://x"}', "never a URL"],
    ['{"type":"t","data":1,"endpoint":"a","delay_ms":5}', "delay_ms"],
    ['{"type":"t","data":1,"endpoint":"a","timestamp":"yesterday"}', "timestamp:"],
    ['{"type":"t","data":1,"endpoint":"a","timestamp":"2020-13-01T00:00:00Z"}', "timestamp:"],
    ['{"type":"t","data":1,"endpoint":"a","id":{}}', "id: expected a string, got an object"],
  ])("%s is refused: %s", (body, detail) => expect(detailOf(body)).toContain(detail));
});

describe("raw", () => {
  test.each([
    "",
    "plain text",
    '{"appId":"a"}',
    `{"app_id":"a","payload":${payload}}`,
    '{"hookline":1,"kind":"pu',
  ])("%j is content on a raw queue", (body) =>
    expect(decode(body, "raw")).toMatchObject({ kind: "raw", source: "raw", content: body, id: null }),
  );

  test("bytes that are not UTF-8 are content", () => {
    const body = new Uint8Array([0xff, 0x00]);
    expect(decode(body, "raw")).toMatchObject({ kind: "raw", content: body });
  });

  test("an envelope of another kind is content there: a message's sender must not reach an app's webhooks", () => {
    const forged = `{"hookline":1,"id":"x","kind":"pusher","app_id":"app-1","payload":${payload}}`;
    expect(decode(forged, "raw")).toMatchObject({ kind: "raw", source: "raw", content: forged });
  });
});

// Finding: a byte order mark, which .NET's writers put in front, made a job malformed (faults.md C17).
describe("a byte order mark at the head of a message", () => {
  test.each([
    `{"app_id":"a","payload":${payload}}`,
    `{"appId":"a","payload":${payload},"originalPusherSignature":"x"}`,
    `{"version":2,"id":"j","data":{"app_id":"a","payload":${payload}}}`,
    `{"hookline":1,"id":"j","kind":"pusher","app_id":"a","payload":${payload}}`,
    '{"type":"t","data":1,"endpoint":"e"}',
  ])("is passed over: %s", (text) => expect(decode(`\ufeff${text}`)).toEqual(decode(text)));

  test("stays on a raw queue, where the bytes are the receiver's", () => {
    expect(decode("\ufeff{}", "raw")).toMatchObject({ kind: "raw", content: "\ufeff{}" });
  });
});

describe("malformed", () => {
  const good = '{"time_ms":1,"events":[]}';

  test.each([
    ["", "empty"],
    [" \n", "empty"],
    ["nope", "not JSON"],
    ["{", "not JSON"],
    ["\ufeff\ufeff{}", "not JSON"],
    [
      `{"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:1:t","Message":${JSON.stringify(payload)}}`,
      "SNS raw message delivery",
    ],
    [
      '{"Type":"SubscriptionConfirmation","TopicArn":"arn:aws:sns:eu-west-1:1:t","Token":"x"}',
      "SNS raw message delivery",
    ],
    ["B\u0001\u0002", "Sockudo v5's packed binary frame"],
    [new Uint8Array([0x42, 0xff]), "Sockudo v5's packed binary frame"],
    [new Uint8Array([0xff]), "not UTF-8"],
    ["[]", "an array"],
    ["null", "null"],
    ['"text"', "a string"],
    ["{}", "no known form"],
    ['{"__proto__":{"hookline":1}}', "no known form"],
    [good, "without the app"],
    [`{"payload":${good}}`, "without app_id and app_key"],
    ['{"version":3,"id":"a","data":{}}', "version"],
    ['{"version":2,"id":"a","data":[]}', "data: expected a job, got an array"],
    ['{"version":2,"id":"a","data":{"events":[]}}', "data: expected a Sockudo job"],
    [`{"app_id":[],"payload":${good}}`, "app_id: expected a string, got an array"],
    [`{"app_id":"a","job_id":true,"payload":${good}}`, "job_id: expected a string, got a boolean"],
    ['{"app_id":"a","payload":null}', "payload: expected an object, got null"],
    ['{"app_id":"a","payload":[]}', "payload: expected an object, got an array"],
    ['{"app_id":"a","payload":{}}', "payload.time_ms: expected a number, got nothing"],
    [
      '{"app_id":"a","payload":{"time_ms":"1","events":[]}}',
      "payload.time_ms: expected a number, got a string",
    ],
    ['{"app_id":"a","payload":{"time_ms":1}}', "payload.events: expected an array, got nothing"],
    [
      '{"app_id":"a","payload":{"time_ms":1,"events":{}}}',
      "payload.events: expected an array, got an object",
    ],
    [
      '{"app_id":"a","payload":{"time_ms":1,"events":[1]}}',
      "payload.events[0]: expected an object, got a number",
    ],
    [
      '{"app_id":"a","payload":{"time_ms":1,"events":[{"name":"a"},{}]}}',
      "payload.events[1].name: expected a string",
    ],
    [
      '{"app_id":"a","payload":{"time_ms":1,"events":[{"name":""}]}}',
      "payload.events[0].name: expected a name",
    ],
    [
      '{"app_id":"a","payload":{"time_ms":1,"events":[{"name":"a","channel":[]}]}}',
      "payload.events[0].channel: expected a string, got an array",
    ],
    [`{"payload":${good},"originalPusherSignature":"x"}`, "without appId and appKey"],
    [`{"appId":"a","payload":${good}}`, "originalPusherSignature: expected a string, got nothing"],
    [
      `{"appId":"a","payload":${good},"originalPusherSignature":1}`,
      "originalPusherSignature: expected a string",
    ],
    ['{"hookline":2}', "not version 1"],
    ['{"hookline":1}', "kind:"],
    ['{"hookline":1,"kind":"pusher","app_id":"a"}', "payload: expected an object, got nothing"],
    [`{"hookline":1,"kind":"pusher","source":"x","payload":${good}}`, "source:"],
    [`{"hookline":1,"kind":"pusher","source":"soketi","payload":${good}}`, "signature:"],
    [`{"hookline":1,"kind":"pusher","signature":"x","payload":${good}}`, "signature:"],
    [`{"hookline":1,"kind":"pusher","endpoint":[],"payload":${good}}`, "endpoint:"],
    [`{"hookline":1,"kind":"pusher","delivery_id":"a.b","payload":${good}}`, "delivery_id:"],
    ['{"hookline":1,"kind":"generic","type":"t","data":1,"app_id":"a"}', "timestamp:"],
    [
      '{"hookline":1,"kind":"generic","type":"t","timestamp":"2020-01-01T00:00:00Z","data":1}',
      "app_id or endpoint",
    ],
    ['{"hookline":1,"kind":"raw"}', "content:"],
    ['{"hookline":1,"kind":"raw","content":"","content_encoding":"hex"}', "content_encoding:"],
    ['{"hookline":1,"kind":"raw","content":"","attributes":{"a":1}}', "attributes:"],
  ] as [JobBody, string][])("%j: %s", (body, detail) => expect(detailOf(body)).toContain(detail));

  test("the detail quotes nothing of the body", () => {
    const secret = "hunter2hunter2";
    for (const body of [
      secret,
      `{"app_secret":"${secret}"}`,
      `{"app_id":"a","payload":"${secret}"}`,
      `{"app_id":"a","app_secret":"${secret}","payload":{"time_ms":"${secret}"}}`,
      `{"appId":"a","payload":{"time_ms":1,"events":[{"name":["${secret}"]}]},"originalPusherSignature":"${secret}"}`,
    ]) {
      expect(detailOf(body)).not.toContain(secret);
    }
  });

  test("a body nested a million times is malformed or taken, never thrown over", () => {
    const deep = "[".repeat(1_000_000) + "]".repeat(1_000_000);
    expect(detailOf(deep)).not.toBe("");
    const inside = `{"app_id":"a","payload":{"time_ms":1,"events":[{"name":"a","data":${deep}}]}}`;
    expect(["pusher", "malformed"]).toContain(decodeJob(inside, { format: "auto" }).kind);
  });
});
