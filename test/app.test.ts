import { describe, expect, test } from "bun:test";
import { createHookline, type Hookline } from "../src/app.ts";
import type { ConfigInput } from "../src/config/schema.ts";
import { RestartIntensityError } from "../src/errors.ts";
import { load } from "./config/support.ts";
import { startReceiver } from "./support/receiver.ts";
import { app } from "./support/worker.ts";
import { until } from "./support/until.ts";

const token = "operator-token-of-this-test";

async function create(config: ConfigInput = {}): Promise<{ hookline: Hookline; lines: string[] }> {
  const lines: string[] = [];
  const loaded = await load({ server: { port: 0, token }, ...config });
  return { hookline: await createHookline({ loaded, write: (line) => void lines.push(line) }), lines };
}

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });

const shop = (url: string): NonNullable<ConfigInput["apps"]> => [
  { ...app, webhooks: [{ url, event_types: ["channel_occupied"] }] },
];
const job = {
  app_id: app.id,
  payload: { time_ms: 1, events: [{ name: "channel_occupied", channel: "room" }] },
};

describe("a running hookline", () => {
  test("takes a job over HTTP and delivers it", async () => {
    await using receiver = await startReceiver();
    const { hookline, lines } = await create({ apps: shop(receiver.url) });
    const { url } = await hookline.start();
    expect((await post(`${url}/v1/queues/webhooks/jobs`, job)).status).toBe(202);
    expect((await receiver.waitFor(1)).text).toBe(JSON.stringify(job.payload));
    const report = await hookline.stop();
    expect(report).toMatchObject({ enqueued: 1, delivered: 1, left_behind: 0 });
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ msg: "stopped", enqueued: 1, delivered: 1 });
  });

  test("with consume: false it takes jobs and delivers none", async () => {
    await using receiver = await startReceiver();
    const { hookline } = await create({ apps: shop(receiver.url), queue: { consume: false } });
    const { url } = await hookline.start();
    expect((await post(`${url}/v1/queues/webhooks/jobs`, [job, job])).status).toBe(202);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(await hookline.stop()).toMatchObject({ enqueued: 2, delivered: 0, left_behind: 2 });
    expect(receiver.count).toBe(0);
  });

  test("a port in use ends the start with an error that says so, and leaves nothing running", async () => {
    const { hookline: first } = await create();
    const { url } = await first.start();
    const { hookline: second } = await create({ server: { port: Number(new URL(url).port), token } });
    await expect(second.start()).rejects.toThrow(/in use/);
    await second.stop();
    expect((await fetch(`${url}/health`)).status).toBe(200);
    await first.stop();
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  test("a worker past its restart intensity fails the process with the reason, and the rest still drains", async () => {
    await using receiver = await startReceiver();
    const { hookline } = await create({
      apps: shop(receiver.url),
      supervisor: { allow_crash: true, max_restarts: 2, restart_delay_ms: 1, max_restart_delay_ms: 1 },
    });
    const { url } = await hookline.start();
    let failure: Error | null = null;
    void hookline.failed.then((error) => (failure = error));
    await until(
      async () => {
        await post(`${url}/v1/workers/${encodeURIComponent("webhooks/loop-1")}/crash`, {});
        return failure !== null;
      },
      { what: "the process to fail" },
    );
    const error = await hookline.failed;
    expect(error).toBeInstanceOf(RestartIntensityError);
    expect(error.message).toContain("webhooks/loop-1");
    expect((await post(`${url}/v1/queues/webhooks/jobs`, [job])).status).toBe(202);
    await receiver.waitForCount(1);
    expect(await hookline.stop()).toMatchObject({ enqueued: 1, delivered: 1 });
  });

  test("readiness goes with the drain, and nothing is accepted after the stop", async () => {
    await using receiver = await startReceiver();
    const { hookline } = await create({ apps: shop(receiver.url) });
    const { url } = await hookline.start();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const stopped = hookline.stop();
    const answer = await fetch(`${url}/health/ready`).catch(() => null);
    expect([503, undefined]).toContain(answer?.status);
    await stopped;
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
  });
});
