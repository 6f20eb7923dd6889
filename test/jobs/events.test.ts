import { describe, expect, test } from "bun:test";
import { decodeJob } from "../../src/jobs/decode.ts";
import { createEventsJob, readEventsRequest, routingOfEvents } from "../../src/jobs/events.ts";
import type { EventText } from "../../src/jobs/events.ts";

function read(body: string): readonly EventText[] {
  const request = readEventsRequest(body);
  if (!request.ok) throw new Error(JSON.stringify(request.errors));
  return request.events;
}

function errorsOf(body: string): string[] {
  const request = readEventsRequest(body);
  return request.ok ? [] : request.errors.map(({ path, message }) => `${path}|${message}`);
}

describe("readEventsRequest", () => {
  test("keeps each event's bytes", () => {
    expect(read(' { "events" : [ {"name":"a","channel":"c", "n":1.0} ,{"name":"b"}]}')).toEqual([
      { name: "a", channel: "c", text: '{"name":"a","channel":"c", "n":1.0}' },
      { name: "b", channel: null, text: '{"name":"b"}' },
    ]);
  });

  test("takes the last of two lists, as JSON.parse does", () => {
    expect(read('{"events":[{"name":"a"}],"events":[{"name":"b"}]}').map(({ name }) => name)).toEqual(["b"]);
  });

  test.each([
    ["", ["|not JSON"]],
    ["[]", ["|expected an object, got an array"]],
    ["{}", ["events|expected an array, got nothing"]],
    ['{"events":{}}', ["events|expected an array, got an object"]],
    ['{"events":[]}', ["events|expected at least one event"]],
    ['{"events":[{"name":"a"}],"time_ms":1}', ['|unknown field "time_ms": expected only events']],
    [
      '{"events":[{},{"name":"a","channel":5},{"name":"ok"},7,{"name":""}]}',
      [
        "events[0].name|expected a string, got nothing",
        "events[1].channel|expected a string, got a number",
        "events[3]|expected an object, got a number",
        "events[4].name|expected a name, got an empty string",
      ],
    ],
  ])("%s names what is wrong", (body, errors) => expect(errorsOf(body)).toEqual(errors));

  test("a thousand bad events give at most twenty errors", () => {
    expect(errorsOf(`{"events":[${Array(1000).fill("0").join(",")}]}`)).toHaveLength(20);
  });
});

test("createEventsJob writes an envelope whose payload holds the events' bytes", () => {
  const events = read('{"events":[{"name":"a","channel":"c","n":1.0},{"name":"b"}]}');
  const job = createEventsJob("app-1", 1234, events);
  expect(job).toMatchObject({ delayMs: 0, group: null, deduplicationId: null, dedup: null });
  expect(job.routing).toEqual({ appId: "app-1", channel: "c", event: "a" });
  expect(decodeJob(job.body, { format: "auto" })).toMatchObject({
    kind: "pusher",
    source: "native",
    id: job.id,
    appId: "app-1",
    payload: '{"time_ms":1234,"events":[{"name":"a","channel":"c","n":1.0},{"name":"b"}]}',
  });
});

test("routingOfEvents is empty where there is nothing to name", () => {
  expect(routingOfEvents("a", [])).toEqual({ appId: "a", channel: "", event: "" });
  expect(routingOfEvents("a", [{ name: "n", channel: null }])).toEqual({
    appId: "a",
    channel: "",
    event: "n",
  });
});
