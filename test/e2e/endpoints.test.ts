import { afterEach, beforeEach, expect, test } from "bun:test";
import { generateKeyPair } from "../../src/delivery/signing-keys.ts";
import { runExecutable, startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { until } from "../support/until.ts";
import { app, configFor, isSigned, jobNumber, jobsFrom } from "./scenario.ts";

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const main = `/v1/endpoints/${app.id}/main`;
const webhook = (): object => ({ name: "main", url: receiver.url });

async function switchTo(server: Executable, verb: string): Promise<void> {
  const { status, body } = await server.api("POST", `${main}/${verb}`);
  expect([status, body.scope]).toEqual([200, "process"]);
}

test("a paused endpoint's jobs are kept, and delivered when it is resumed", async () => {
  await using server = await startExecutable(configFor([webhook()]));
  await switchTo(server, "pause");
  await server.enqueue("webhooks", jobsFrom(1, 20));
  await until(async () => (await server.stats())["parked"] === 20, { what: "twenty parked jobs" });
  expect(receiver.count).toBe(0);
  await switchTo(server, "resume");
  await receiver.waitForCount(20);
  await server.untilIdle();
  expect([receiver.count, (await server.stats())["dead"]]).toEqual([20, 0]);
});

test("a disabled endpoint's jobs are dead letters; enabling it redrives nothing by itself", async () => {
  await using server = await startExecutable(configFor([webhook()]));
  await switchTo(server, "disable");
  await server.enqueue("webhooks", jobsFrom(1, 3));
  await until(async () => (await server.stats())["dead"] === 3, { what: "three dead letters" });
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body;
  for (const item of items)
    expect(item).toMatchObject({ reason: "endpoint_disabled", endpoint: "shop/main" });
  await switchTo(server, "enable");
  await server.enqueue("webhooks", jobNumber(4));
  await receiver.waitForCount(1);
  await server.untilIdle();
  expect([receiver.count, (await server.stats())["dead"]]).toEqual([1, 3]);
  await server.api("POST", "/v1/queues/webhooks/dead/redrive", { max: 10 });
  await receiver.waitForCount(4);
});

test("an endpoint that answers 410 three times is disabled where that is configured", async () => {
  receiver.behave(answer(410));
  await using server = await startExecutable(
    configFor([{ ...webhook(), on_gone: "disable", concurrency: 1 }]),
  );
  await server.enqueue("webhooks", jobsFrom(1, 10));
  await until(async () => (await server.stats())["dead"] === 10, { what: "ten dead letters" });
  expect(receiver.count).toBe(3);
  expect((await server.api("GET", main)).body).toMatchObject({ mode: "disabled" });
  const { items } = (await server.api("GET", "/v1/queues/webhooks/dead")).body as {
    items: { reason: string }[];
  };
  expect(items.filter(({ reason }) => reason === "endpoint_disabled")).toHaveLength(7);
});

test("the delivery log tells each attempt of a delivery, newest first", async () => {
  receiver.behave((_, n) => answer(n < 3 ? 503 : 200));
  await using server = await startExecutable(configFor([webhook()]));
  await server.enqueue("webhooks", jobNumber(1));
  await receiver.waitForCount(3);
  await server.untilIdle();
  const { attempts } = (await server.api("GET", `${main}/attempts`)).body;
  expect(attempts).toMatchObject([
    { attempt: 3, outcome: "delivered", status: 200, next: "done" },
    { attempt: 2, outcome: "http_status", status: 503, next: "retry", retry_in_ms: expect.any(Number) },
    { attempt: 1, outcome: "http_status", status: 503, next: "retry", job_id: "job-1", queue: "webhooks" },
  ]);
  expect(new Set(attempts.map((attempt: { delivery_id: string }) => attempt.delivery_id))).toEqual(
    new Set([receiver.requests[0]!.headers["webhook-id"]]),
  );
});

test("a test delivery is signed like any other and tells what came back", async () => {
  await using server = await startExecutable(configFor([webhook()]));
  expect((await server.api("POST", `${main}/test`)).body).toMatchObject({
    outcome: "delivered",
    status: 200,
  });
  expect(isSigned(await receiver.waitFor(1))).toBe(true);
  expect(await server.stats()).toMatchObject({ ready: 0, dead: 0 });
});

test("keys from the command line sign deliveries that the command line verifies, with the published key too", async () => {
  const { secretKey, publicKey } = generateKeyPair();
  const generated = await runExecutable(["keys", "generate"]);
  expect(generated.code).toBe(0);
  const signing = {
    signing: "standard",
    signing_keys: [{ key: generated.stdout.trim() }, { key: secretKey }],
  };
  await using server = await startExecutable(configFor([{ ...webhook(), ...signing }]));
  await server.enqueue("webhooks", jobNumber(1));
  const request = await receiver.waitFor(1);
  const saved = `${Object.entries(request.headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n")}\n\n${request.text}`;
  for (const key of [generated.stdout, publicKey]) {
    const verified = await runExecutable(["verify", "--key-env", "KEY"], { env: { KEY: key }, stdin: saved });
    expect(verified).toEqual({ code: 0, stdout: "ok: webhook-signature\n", stderr: "" });
  }
  const changed = await runExecutable(["verify", "--key-env", "KEY"], {
    env: { KEY: publicKey },
    stdin: `${saved}\n`,
  });
  expect(changed.code).toBe(1);
  expect(changed.stderr).toContain("without the newline");

  const published = await fetch(`${server.url}/.well-known/hookline-keys`);
  const { keys } = (await published.json()) as { keys: { x: string }[] };
  expect(keys.map(({ x }) => Buffer.from(x, "base64url").toString("base64"))).toEqual([publicKey.slice(5)]);
});

test("sign with a file of keys, verify with its public half: exit codes for scripts", async () => {
  const made = await runExecutable(["keys", "generate", "--ed25519"]);
  const [secretKey = "", publicKey = ""] = made.stdout.split("\n");
  expect((await runExecutable(["keys", "public", "-"], { stdin: secretKey })).stdout).toBe(`${publicKey}\n`);
  const signed = await runExecutable(["sign", "--key-env", "KEY"], { env: { KEY: secretKey }, stdin: "{}" });
  const verify = (body: string) =>
    runExecutable(["verify", "--key", publicKey], { stdin: `${signed.stdout}\n${body}` });
  expect((await verify("{}")).code).toBe(0);
  expect((await verify("[]")).code).toBe(1);
  expect((await runExecutable(["verify", "--key", "nonsense"])).code).toBe(2);
});
