import { expect, test } from "bun:test";
import { decodeJob, decodeObject } from "../../src/jobs/decode.ts";
import { createOddJson, createRandom } from "./odd-json.ts";

/** What the text is when it is parsed and scanned as a whole. */
const whole = (text: string) => decodeObject(text, JSON.parse(text), 0);
const payload = '{"time_ms":1.0,"events":[{"name":"a","channel":"c","x":12345678901234567890}]}';

test.each([
  `{"hookline":1,"id":"j","kind":"pusher","app_id":"a","payload":${payload}}`,
  `{"hookline":1,"id":"j","kind":"pusher","app_id":"a","payload":${payload}} `,
  `{"hookline":1,"kind":"pusher","app_id":"a","payload": ${payload}}`,
  `{"hookline":1,"kind":"pusher","app_id":"a","payload":{},"payload":${payload}}`,
  `{"hookline":1,"kind":"pusher","app_id":"a","payload":${payload},"payload":{"time_ms":2,"events":[]}}`,
  `{"hookline":1,"kind":"pusher","app_id":"a","payload":${payload},"\\u0070ayload":{"time_ms":2,"events":[]}}`,
  `{"hookline":1,"kind":"pusher","app_id":"a","payload":${payload},"source":"sockudo","x":{}}`,
  `{"hookline":1,"kind":"pusher","x":{"a":1,"payload":{"time_ms":2,"events":[]}},"app_id":"a","payload":${payload}}`,
  `{"hookline":1,"kind":"pusher","x":[{"a":1,"payload":{"time_ms":2,"events":[]}}],"app_id":12345678901234567890,"payload":${payload}}`,
  `{"hookline":1,"kind":"pusher","app_id":",\\"payload\\":{","payload":${payload}}`,
  `{"hookline":1,"kind":"pusher","app_id":"a","__proto__":{"kind":"raw"},"payload":${payload}}`,
  `{"hookline":1,"kind":"generic","endpoint":"e","type":"t","timestamp":"2026-01-01T00:00:00Z","data":{"a":1,"payload":{"b":2}}}`,
  `{"hookline":1,"kind":"pusher","app_id":"a","payload":{"time_ms":1,"events":[{"name":"a","b":1,"payload":{"c":2}}]}}`,
])("an envelope whose payload is found by its parts is the one that is read as a whole: %s", (text) => {
  expect(decodeJob(text, { format: "auto", now: 0 })).toEqual(whole(text));
});

test("random envelopes, members before and behind the payload, are read alike both ways", () => {
  const random = createRandom(20_261_130);
  const odd = createOddJson(random);
  let read = 0;
  for (let round = 0; round < 3_000; round += 1) {
    const before = random() < 0.3 ? `,"x":${odd.value(3)}` : "";
    const after = random() < 0.3 ? `,"y":${odd.value(3)}` : "";
    const events = `[{"name":"a","payload":${odd.value(3)}}]`;
    const text = `{"hookline":1,"kind":"pusher","app_id":"a"${before},"payload":{"time_ms":1.0,"z":${odd.value(3)},"events":${events}}${after}}`;
    const job = decodeJob(text, { format: "auto", now: 0 });
    expect(job).toEqual(whole(text));
    if (job.kind === "pusher") read += 1;
  }
  expect(read).toBe(3_000);
});
