import { afterEach, describe, expect, test } from "bun:test";
import type { ConfigInput } from "../../src/config/schema.ts";
import { createNoneDriver } from "../../src/queue/drivers/none/driver.ts";
import { startAdmin, type Admin, type AdminSetup } from "./start-admin.ts";

let running: Admin[] = [];

async function start(setup: AdminSetup = {}): Promise<Admin> {
  const admin = await startAdmin(setup);
  running.push(admin);
  return admin;
}

afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  running = [];
});

const url = "http://127.0.0.1:1/";
const endpoints = { billing: { url }, mailer: { url } };

/** Status, and code or status of each job. */
async function fate(admin: Admin, queue: string, jobs: unknown): Promise<[number, string[]]> {
  const response = await admin.post(`/v1/queues/${queue}/jobs`, jobs);
  const answer = (await response.json()) as { jobs: { status: string; error?: { code: string } }[] };
  return [response.status, answer.jobs.map(({ status, error }) => error?.code ?? status)];
}

// faults.md C17: answered 202, and a dead letter a moment later, when nobody listened any more.
describe("a job that this process would give up at once is refused", () => {
  const generic = (endpoint: string) => ({ type: "invoice.paid", data: {}, endpoint });

  test("when it names an endpoint that is not configured; its neighbours are taken", async () => {
    const admin = await start({ config: { endpoints } });
    expect(await fate(admin, "webhooks", generic("biling"))).toEqual([422, ["unknown_endpoint"]]);
    expect(await fate(admin, "webhooks", [generic("billing"), generic("biling"), generic("mailer")])).toEqual(
      [202, ["enqueued", "unknown_endpoint", "enqueued"]],
    );
    const text = await (await admin.get("/metrics")).text();
    expect(text).toContain('hookline_jobs_rejected_total{queue="webhooks",code="unknown_endpoint"} 2');
  });

  test("when hookline's own form binds it to a webhook that the app does not have, or that does not want it", async () => {
    const admin = await start();
    const events = [{ name: "channel_occupied" }];
    const bound = (endpoint: string, names = events) => ({
      hookline: 1,
      id: `job-${endpoint}-${names[0]?.name}`,
      kind: "pusher",
      app_id: "app-1",
      endpoint,
      delivery_id: `job_${endpoint}`,
      payload: { time_ms: 1, events: names },
    });
    expect(await fate(admin, "webhooks", bound("hook"))).toEqual([202, ["enqueued"]]);
    expect(await fate(admin, "webhooks", bound("hock"))).toEqual([422, ["unknown_endpoint"]]);
    expect(await fate(admin, "webhooks", bound("hook", [{ name: "x" }]))).toEqual([422, ["not_wanted"]]);
  });

  const raw: ConfigInput = {
    endpoints,
    queue: {
      queues: [
        {
          name: "routed",
          format: "raw",
          routes: [
            { match: { body: "kind", equals: "mail" }, endpoint: "mailer" },
            { match: { attribute: "class", equals: "Invoice" }, endpoint: "billing" },
          ],
        },
        { name: "plain", format: "raw", endpoint: "billing" },
      ],
    },
  };

  test("when no route of a raw queue takes it", async () => {
    const admin = await start({ config: raw });
    expect(await fate(admin, "routed", { kind: "mail" })).toEqual([202, ["enqueued"]]);
    expect(await fate(admin, "routed", [{ kind: "male" }, { kind: "mail" }, 7])).toEqual([
      202,
      ["no_route", "enqueued", "no_route"],
    ]);
    expect(await fate(admin, "plain", generic("nowhere"))).toEqual([202, ["enqueued"]]);
  });

  test("when an envelope binds a raw job to an endpoint that its queue does not lead to", async () => {
    const admin = await start({ config: raw });
    const envelope = (endpoint: string) => ({
      hookline: 1,
      id: endpoint,
      kind: "raw",
      endpoint,
      content: "x",
    });
    expect(await fate(admin, "plain", envelope("billing"))).toEqual([202, ["enqueued"]]);
    expect(await fate(admin, "plain", envelope("mailer"))).toEqual([422, ["unknown_endpoint"]]);
    expect(await fate(admin, "plain", envelope("nowhere"))).toEqual([422, ["unknown_endpoint"]]);
  });

  test("but not where another process consumes the queue, or nothing is kept", async () => {
    const producer = await start({ config: { ...raw, queue: { ...raw.queue, consume: false } } });
    expect(await fate(producer, "routed", { kind: "male" })).toEqual([202, ["enqueued"]]);
    const other = await start({ config: { queue: { consume: false } } });
    expect(await fate(other, "webhooks", generic("biling"))).toEqual([202, ["enqueued"]]);
    const none = await start({ driver: createNoneDriver });
    expect(await fate(none, "webhooks", generic("biling"))).toEqual([200, ["discarded"]]);
  });

  test("and a path to an endpoint that is not there is still 404", async () => {
    const admin = await start();
    const response = await admin.get("/v1/endpoints/-/biling");
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      404,
      "unknown_endpoint",
    ]);
  });
});
