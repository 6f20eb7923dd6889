import { describe, expect, test } from "bun:test";
import { jobsBody, eventsBody } from "../../src/admin/job-body.ts";
import { jsonSchemaOf } from "../../src/admin/openapi/json-schema.ts";
import { readEventsRequest } from "../../src/jobs/events.ts";
import { readJobs } from "../../src/jobs/intake.ts";
import { createApiCheck } from "../support/api-check.ts";

const check = createApiCheck({ openapi: "3.1.0", paths: {}, components: { schemas: {} } });
const schemas = { jobs: jsonSchemaOf(jobsBody, "input"), events: jsonSchemaOf(eventsBody, "input") };
const fits = (kind: keyof typeof schemas, value: unknown): boolean =>
  check.valueViolations(schemas[kind], value).length === 0;

function isRead(value: unknown): boolean {
  const intake = readJobs(JSON.stringify(value), {
    queue: "webhooks",
    format: "auto",
    apps: {
      findApp: () => ({
        id: "shop",
        secret: "s",
        previousSecrets: [],
        accept: new Set(["sockudo", "native"]),
      }),
    },
    capabilities: { dedup: true, ordersGroups: true, maxDelayMs: 1e9, maxPayloadBytes: 1e6 },
    idempotencyKey: null,
    now: 0,
  });
  // What the reader refuses for other reasons than the shape is no question of the document.
  return intake.ok && intake.items.every((item) => item.ok || item.code !== "malformed");
}

const payload = { time_ms: 1, events: [{ name: "order_paid", channel: "orders", data: { id: 17 } }] };
const sockudo = { app_id: "shop", app_key: "shop-key", payload };
const soketi = { appId: "shop", appKey: "shop-key", payload, originalPusherSignature: "00" };
const generic = { type: "invoice.paid", data: { id: 17 }, endpoint: "billing" };

/** Values that stand in the places of members, right and wrong. */
const values = [null, true, 0, 7, -1, 1.5, "", "text", [], {}, [{}], [{ name: "a" }], { name: "a" }];

/** Each job with each of its members, and of some new ones, changed to each value or left out. */
function* variants(job: Record<string, unknown>): Generator<Record<string, unknown>> {
  yield job;
  const members = [...Object.keys(job), "delay_ms", "group", "deduplication_id", "id", "timestamp", "more"];
  for (const member of members) {
    const { [member]: _left, ...rest } = job;
    yield rest;
    for (const value of values) yield { ...job, [member]: value };
  }
}

describe("the document and the readers of jobs and events agree", () => {
  for (const [form, job] of Object.entries({ sockudo, soketi, generic })) {
    test(`on jobs of the form ${form}`, () => {
      let refused = 0;
      for (const one of variants(job)) {
        const seen = { job: one, isRead: isRead(one) };
        if (!seen.isRead) refused += 1;
        expect(seen).toEqual({ job: one, isRead: fits("jobs", one) });
        expect(fits("jobs", [one, job])).toBe(seen.isRead);
      }
      expect(refused).toBeGreaterThan(20);
    });
  }

  test("on events", () => {
    const event: Record<string, unknown> = { name: "order_paid", channel: "orders", data: { id: 17 } };
    const bodies = [
      ...values,
      ...values.map((events) => ({ events })),
      { events: payload.events, more: 1 },
      ...[...variants(event)].map((one) => ({ events: [event, one] })),
    ];
    for (const body of bodies) {
      const isTaken = readEventsRequest(JSON.stringify(body)).ok;
      expect({ body, isTaken }).toEqual({ body, isTaken: fits("events", body) });
    }
  });
});
