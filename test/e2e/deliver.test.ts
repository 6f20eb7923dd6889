import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Pusher from "pusher";
import { version } from "../../src/version.ts";
import { runExecutable, startExecutable, token } from "../support/executable.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import type { ReceivedRequest, Receiver } from "../support/receiver.ts";
import { fixtureApp } from "../support/secrets.ts";
import { until } from "../support/until.ts";
import { app, configFor, isSigned, jobNumber, jobNumberOf, jobsFrom } from "./scenario.ts";

const fixture = join(import.meta.dir, "..", "fixtures", "soketi-1.6.1-sqs-fifo.json");

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

/** What the npm package `pusher`, as a receiver uses it, says of a delivery. */
function pusherAccepts(request: ReceivedRequest, keys: { id: string; key: string; secret: string }): boolean {
  const pusher = new Pusher({ appId: keys.id, key: keys.key, secret: keys.secret, cluster: "eu" });
  return pusher.webhook({ headers: { ...request.headers }, rawBody: request.text }).isValid();
}

test("each captured Soketi message arrives byte for byte, and npm's pusher accepts it", async () => {
  const messages = JSON.parse(readFileSync(fixture, "utf8")) as { body: string }[];
  const payloads = messages.map(({ body }) => {
    const start = body.indexOf('"payload":') + '"payload":'.length;
    return body.slice(start, body.lastIndexOf(',"originalPusherSignature"'));
  });
  const names = payloads.flatMap((text) =>
    (JSON.parse(text) as { events: { name: string }[] }).events.map((event) => event.name),
  );
  const webhooks = [{ url: receiver.url, event_types: [...new Set(names)] }];
  await using server = await startExecutable(configFor([], { apps: [{ ...fixtureApp, webhooks }] }));
  // Posted as they are: parsing and writing them again could change the bytes that were signed.
  for (const { body } of messages) {
    expect((await server.api("POST", "/v1/queues/webhooks/jobs", body)).status).toBe(202);
  }
  await receiver.waitForCount(messages.length);
  expect(receiver.requests.map((request) => request.text).sort()).toEqual([...payloads].sort());
  for (const request of receiver.requests) {
    expect(pusherAccepts(request, fixtureApp)).toBe(true);
    expect(pusherAccepts(request, { ...fixtureApp, secret: "another" })).toBe(false);
  }
  expect(await server.stop()).toBe(0);
});

test("a delivery carries the promised headers and is signed over its exact bytes", async () => {
  const webhook = { name: "main", url: `${receiver.url}/hook`, headers: { "x-custom": "yes" } };
  await using server = await startExecutable(configFor([webhook]));
  const text = `{"time_ms":1,"events":[{"name":"channel_occupied","channel":"\\u0072oom","n":12345678901234567890,"f":1.0,"e":1e400}]}`;
  await server.enqueue("webhooks", `{"id":"exact","app_id":"${app.id}","payload":${text}}`);
  const request = await receiver.waitFor(1);
  expect(request.text).toBe(text);
  expect(request).toMatchObject({ method: "POST", path: "/hook" });
  expect(request.headers).toMatchObject({
    "content-type": "application/json",
    "user-agent": `hookline/${version}`,
    "webhook-id": expect.stringMatching(/^exact_[0-9a-f]{8}$/),
    "x-pusher-key": app.key,
    "x-custom": "yes",
  });
  expect(isSigned(request)).toBe(true);
  expect(isSigned(request, "another")).toBe(false);
});

test("a failing receiver is tried again under the same webhook-id until it accepts", async () => {
  receiver.behave((_, n) => answer(n < 4 ? 503 : 200));
  await using server = await startExecutable(configFor([{ url: receiver.url }]));
  await server.enqueue("webhooks", jobNumber(1));
  await receiver.waitForCount(4);
  await server.untilIdle();
  expect(new Set(receiver.requests.map((request) => request.headers["webhook-id"])).size).toBe(1);
  expect(await server.stats()).toMatchObject({ dead: 0 });
  expect(receiver.count).toBe(4);
});

test("dead letters are listed with their reason, redriven and removed from the command line", async () => {
  receiver.behave(answer(410));
  await using server = await startExecutable(configFor([{ name: "main", url: receiver.url }]));
  const flags = ["--url", server.url, "--token", token];
  const jobs = JSON.stringify(jobsFrom(1, 3));
  const enqueued = await runExecutable(["enqueue", "webhooks", "-", ...flags], { stdin: jobs });
  expect(enqueued).toEqual({ code: 0, stdout: "job-1\njob-2\njob-3\n", stderr: "" });
  await until(async () => (await server.stats())["dead"] === 3, { what: "three dead letters" });

  const listed = await runExecutable(["dead", "ls", "webhooks", ...flags]);
  expect(listed.code).toBe(0);
  for (const n of [1, 2, 3]) expect(listed.stdout).toMatch(new RegExp(`^job-${n} .*main`, "m"));
  expect(listed.stdout).toContain("410");
  const removed = await runExecutable(["dead", "rm", "webhooks", "job-3", "nobody", ...flags]);
  expect(removed.code).toBe(1);
  expect(removed.stdout).toBe("1 removed\n");
  expect(removed.stderr).toContain("nobody: not there");

  receiver.clear();
  receiver.behave(answer(200));
  const one = await runExecutable(["dead", "redrive", "webhooks", "job-1", ...flags]);
  expect(one).toEqual({ code: 0, stdout: "1 redriven\n", stderr: "" });
  const rest = await runExecutable(["dead", "redrive", "webhooks", "--all", ...flags]);
  expect(rest).toEqual({ code: 0, stdout: "1 redriven\n", stderr: "" });
  await receiver.waitForCount(2);
  await server.untilIdle();
  expect(receiver.requests.map(jobNumberOf).sort((a, b) => a - b)).toEqual([1, 2]);
  expect(await server.stats()).toMatchObject({ dead: 0, ready: 0 });
  const none = await runExecutable(["dead", "ls", "webhooks", "--json", ...flags]);
  expect(JSON.parse(none.stdout)).toMatchObject({ items: [], cursor: null });
});

test("a batch with bad jobs: the good ones are enqueued, each bad one is named", async () => {
  await using server = await startExecutable(configFor([{ url: receiver.url }]));
  const batch = [
    jobNumber(1),
    { nonsense: true },
    { ...jobNumber(2), app_id: "unknown" },
    "text",
    jobNumber(3),
  ];
  const { code, stdout, stderr } = await runExecutable(["enqueue", "webhooks", "--url", server.url], {
    env: { HOOKLINE_TOKEN: token },
    stdin: JSON.stringify(batch),
  });
  expect(code).toBe(1);
  expect(stdout).toBe("job-1\njob-3\n");
  expect(
    stderr
      .trim()
      .split("\n")
      .map((line) => /jobs\[(\d)\]/.exec(line)?.[1]),
  ).toEqual(["1", "2", "3"]);
  await receiver.waitForCount(2);
  expect(receiver.requests.map(jobNumberOf).sort((a, b) => a - b)).toEqual([1, 3]);
});

test("a job with several endpoints is one delivery each, and none waits for or repeats another", async () => {
  const failing = await startReceiver({ behaviour: (_, n) => answer(n < 3 ? 500 : 200) });
  const gone = await startReceiver({ behaviour: answer(404) });
  try {
    const webhooks = [
      { name: "good", url: receiver.url },
      { name: "failing", url: failing.url },
      { name: "gone", url: gone.url },
      { name: "uninterested", url: receiver.url, event_types: ["member_added"] },
    ];
    await using server = await startExecutable(configFor(webhooks));
    await server.enqueue("webhooks", jobNumber(1));
    await failing.waitForCount(3);
    await server.untilIdle();
    expect([receiver.count, failing.count, gone.count]).toEqual([1, 3, 1]);
    const ids = [receiver, failing, gone].map((each) => each.requests[0]!.headers["webhook-id"]);
    expect(new Set(ids).size).toBe(3);
    const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body;
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ endpoint: expect.stringContaining("gone"), attempts: 1 });
  } finally {
    await failing.close();
    await gone.close();
  }
});

test("events posted for an app arrive as one signed payload", async () => {
  await using server = await startExecutable(configFor([{ url: receiver.url }]));
  const events = [{ name: "channel_occupied", channel: "room-7" }];
  expect((await server.api("POST", `/v1/apps/${app.id}/events`, { events })).status).toBe(202);
  const request = await receiver.waitFor(1);
  expect(JSON.parse(request.text)).toEqual({ time_ms: expect.any(Number), events });
  expect(isSigned(request)).toBe(true);
});

test("driver none accepts nothing and says so", async () => {
  await using server = await startExecutable(configFor([], { queue: { driver: "none" } }));
  const posted = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(1, 2));
  expect(posted.status).toBe(200);
  expect(posted.body).toMatchObject({ accepted: 0, discarded: 2, reason: "queue driver is none" });
});
