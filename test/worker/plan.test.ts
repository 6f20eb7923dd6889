import { createHmac } from "node:crypto";
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { createMask } from "../../src/secrets/mask.ts";
import { configSchema } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { decodeJob } from "../../src/jobs/decode.ts";
import type { JobBody } from "../../src/jobs/job.ts";
import type { Disposition, LeasedJob } from "../../src/queue/driver.ts";
import { planJob, type Plan } from "../../src/worker/plan.ts";
import type { PlanContext } from "../../src/worker/plan-context.ts";

const secret = "shop-secret-of-this-test";
const wireSecret = "wire-secret-that-is-not-configured";
const config = v.parse(configSchema, {
  apps: [
    {
      id: "shop",
      key: "shop-key",
      secret,
      webhooks: [
        { name: "one", url: "http://one.test/", event_types: ["channel_occupied", "member_added"] },
        {
          name: "two",
          url: "http://two.test/",
          event_types: ["channel_occupied"],
          filter: { channel_prefix: "vip-" },
          retry: { max_attempts: 3 },
        },
      ],
    },
    { id: "strict", key: "strict-key", secret: "strict-secret", accept: ["native"], webhooks: [] },
  ],
});
const context: PlanContext = {
  directory: createDirectory(config),
  format: "auto",
  rawRoutes: null,
  expandsAlways: false,
  mask: createMask(config, { isName: () => false, isShown: () => false }).mask,
  apiRevision: () => 0,
};

const leased = (body: JobBody, overrides: Partial<LeasedJob> = {}): LeasedJob => ({
  id: "job-1",
  body,
  attempts: 0,
  enqueuedAt: 1_000,
  message: null,
  ...overrides,
});
const payload = (...events: readonly (readonly [name: string, channel: string])[]): string =>
  `{"time_ms":1.0,"events":[${events.map(([name, channel]) => `{"name":"${name}","channel":"${channel}","n":12345678901234567890}`).join(", ")}]}`;
const native = (body: string, rest = ""): string =>
  `{"hookline":1,"id":"job-1","kind":"pusher","app_id":"shop"${rest},"payload":${body}}`;
const sockudo = (body: string, more = ""): string =>
  `{"app_key":"shop-key","app_id":"shop","app_secret":"${wireSecret}","payload":${body},"original_signature":"label"${more}}`;
const soketi = (body: string, key: string): string =>
  `{"appKey":"shop-key","appId":"shop","payload":${body},"originalPusherSignature":"${createHmac("sha256", key).update(body).digest("hex")}"}`;

function settlement(plan: Plan): Disposition {
  if (plan.kind !== "settle") throw new Error("expected a settlement, got an attempt");
  return plan.disposition;
}
function dead(plan: Plan) {
  const disposition = settlement(plan);
  if (disposition.verb !== "dead") throw new Error(`expected dead, got ${disposition.verb}`);
  return disposition;
}
function attempt(plan: Plan) {
  if (plan.kind !== "attempt") throw new Error(`expected an attempt, got ${JSON.stringify(plan)}`);
  return plan.delivery;
}
/** Text of a kept body; throws when the stored bytes are left as they are. */
function text(body: JobBody | undefined): string {
  if (typeof body !== "string") throw new Error("expected a kept text");
  return body;
}

describe("given up at once, without an attempt charged", () => {
  const occupied = payload(["channel_occupied", "room"]);
  const table: readonly (readonly [what: string, reason: string, body: JobBody])[] = [
    ["no JSON", "malformed", "not json"],
    ["an empty body", "malformed", ""],
    ["a JSON text that is no object", "malformed", "[1]"],
    ["bytes that are not UTF-8", "malformed", new Uint8Array([0xff, 0xfe, 0x00])],
    ["no events", "malformed", `{"app_id":"shop","payload":{"time_ms":1}}`],
    ["a foreign version of the envelope", "malformed", `{"hookline":2,"kind":"pusher"}`],
    ["an app nobody configured", "unknown_app", native(occupied).replace("shop", "other")],
    ["a signature of another secret", "bad_signature", soketi(occupied, "another")],
    ["a form the app does not accept", "format_not_accepted", sockudo(occupied).replaceAll("shop", "strict")],
    ["a bound endpoint that is gone", "unknown_endpoint", native(occupied, `,"endpoint":"gone"`)],
  ];
  for (const [what, reason, body] of table) {
    test(`${what}: ${reason}`, () => {
      const disposition = dead(planJob(leased(body), context));
      expect(disposition).toMatchObject({ verb: "dead", reason, attempted: false });
      expect(disposition.detail).toBeString();
      expect(`${disposition.detail} ${String(disposition.body ?? "")}`).not.toContain(wireSecret);
    });
  }
});

describe("what is kept of a malformed body", () => {
  test("its secrets masked: the configured ones, and what stands after app_secret", () => {
    const body = `{"app_secret":"${wireSecret}","note":"${secret}","payload":`;
    const kept = text(dead(planJob(leased(body), context)).body);
    expect(kept).not.toContain(wireSecret);
    expect(kept).not.toContain(secret);
    expect(kept).toContain('"note"');
  });

  test("at most 64 KiB of UTF-8, cut between characters", () => {
    const kept = text(dead(planJob(leased("€".repeat(50_000)), context)).body);
    expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(65_536);
    expect(Buffer.byteLength(kept)).toBeGreaterThan(65_530);
    expect(/^€+$/.test(kept)).toBe(true);
  });

  test("bytes as bytes, masked and cut too", () => {
    const bytes = Buffer.concat([Buffer.from(`\u0000${secret}`), Buffer.alloc(100_000, 0xff)]);
    const kept = dead(planJob(leased(new Uint8Array(bytes)), context)).body as Uint8Array;
    expect(kept.byteLength).toBe(65_536);
    expect(kept.at(-1)).toBe(0xff);
    expect(Buffer.from(kept).toString("latin1")).not.toContain(secret);
  });
});

test("what no endpoint wants is acked", () => {
  expect(settlement(planJob(leased(native(payload(["cache_miss", "room"]))), context))).toEqual({
    verb: "ack",
  });
  expect(settlement(planJob(leased(native(`{"time_ms":1,"events":[]}`)), context))).toEqual({ verb: "ack" });
});

describe("one endpoint", () => {
  test("is attempted with the payload's own bytes and the id of job and endpoint", () => {
    const body = payload(["member_added", "room"]);
    const delivery = attempt(planJob(leased(native(body), { attempts: 2 }), context));
    expect(delivery).toMatchObject({ jobId: "job-1", attempt: 3, content: body, enqueuedAt: 1_000 });
    expect(delivery.endpoint.label).toBe("shop/one");
    expect(delivery.id).toBe(`job-1_${delivery.endpoint.nameHash}`);
  });

  test("the id that the message carries wins over the one the driver gave", () => {
    const body = sockudo(payload(["member_added", "room"]), `,"job_id":"wire-7"`);
    const delivery = attempt(planJob(leased(body, { id: "given" }), context));
    expect(delivery.jobId).toBe("wire-7");
    expect(delivery.id).toStartWith("wire-7_");
  });

  test("a wire job is kept bound, without app_secret, and plans to the same delivery again", () => {
    const body = sockudo(payload(["member_added", "room"]));
    const first = attempt(planJob(leased(body), context));
    const kept = text(first.keep());
    expect(kept).not.toContain(wireSecret);
    expect(kept).not.toContain("app_secret");
    const again = attempt(planJob(leased(kept, { attempts: 1 }), context));
    expect(again).toMatchObject({ id: first.id, jobId: first.jobId, content: first.content, attempt: 2 });
    expect(again.endpoint).toBe(first.endpoint);
    expect(again.keep()).toBeUndefined();
  });

  test("a bound retry goes to its endpoint only, although others want it too", () => {
    const body = native(
      payload(["channel_occupied", "vip-1"]),
      `,"endpoint":"two","delivery_id":"kept_0badf00d"`,
    );
    const delivery = attempt(planJob(leased(body), context));
    expect(delivery.endpoint.label).toBe("shop/two");
    expect(delivery.id).toBe("kept_0badf00d");
  });

  test("a bound job that its endpoint no longer wants is dead under the endpoint's label, and kept as it was", () => {
    const body = native(payload(["cache_miss", "room"]), `,"endpoint":"one","delivery_id":"kept_0badf00d"`);
    const disposition = dead(planJob(leased(body), context));
    expect(disposition).toMatchObject({ reason: "not_wanted", endpoint: "shop/one", attempted: false });
    expect(disposition.detail).toContain("redrive");
    expect(disposition.body).toBeUndefined();
  });

  test("a filtered delivery is kept with its events, and delivered so under another filter", () => {
    const wire = soketi(payload(["member_added", "room"], ["cache_miss", "room"]), secret);
    const first = attempt(planJob(leased(wire), context));
    const kept = text(first.keep());
    expect(kept).toContain('"bound_events":[0]');
    const later = createDirectory(
      v.parse(configSchema, {
        apps: [
          {
            id: "shop",
            key: "shop-key",
            secret,
            webhooks: [{ name: "one", url: "http://one.test/", event_types: ["member_added", "cache_miss"] }],
          },
        ],
      }),
    );
    const again = attempt(planJob(leased(kept, { attempts: 1 }), { ...context, directory: later }));
    expect(again).toMatchObject({ id: first.id, content: first.content });
    expect(again.keep()).toBeUndefined();
  });

  test("leases that ended unsettled use its attempts up", () => {
    const body = native(payload(["channel_occupied", "vip-1"]), `,"endpoint":"two"`);
    expect(attempt(planJob(leased(body, { attempts: 2 }), context)).attempt).toBe(3);
    const disposition = dead(planJob(leased(body, { attempts: 3 }), context));
    expect(disposition).toMatchObject({
      reason: "attempts_exhausted",
      endpoint: "shop/two",
      attempted: false,
    });
  });
});

describe("several endpoints", () => {
  const body = payload(["channel_occupied", "vip-1"], ["member_added", "lounge"]);
  for (const [form, wire] of [
    ["native", native(body)],
    ["sockudo", sockudo(body)],
    ["soketi", soketi(body, secret)],
  ] as const) {
    test(`a ${form} job is replaced by one bound child each, which plans to that endpoint's delivery`, () => {
      const disposition = settlement(planJob(leased(wire), context));
      if (disposition.verb !== "replace") throw new Error(disposition.verb);
      expect(disposition.jobs.map(({ endpoint }) => endpoint)).toEqual(["shop/one", "shop/two"]);
      const children = disposition.jobs.map((child) =>
        attempt(planJob(leased(text(child.body), { id: child.id }), context)),
      );
      expect(children.map(({ endpoint }) => endpoint.label)).toEqual(["shop/one", "shop/two"]);
      expect(children.map(({ id }) => id)).toEqual(disposition.jobs.map(({ id }) => id));
      expect(new Set(children.map(({ id }) => id)).size).toBe(2);
      for (const { jobId, attempt: number } of children) expect([jobId, number]).toEqual(["job-1", 1]);
      expect(children[0]?.content).toBe(body);
      expect(children[1]?.content).toBe(payload(["channel_occupied", "vip-1"]));
      expect(JSON.stringify(disposition)).not.toContain(wireSecret);
      for (const child of disposition.jobs)
        expect(decodeJob(child.body, { format: "auto" }).kind).toBe("pusher");
    });
  }
});

test("an id learnt by reading the job is told, and a delivery that is a job of its own keeps its id", () => {
  const body = payload(["channel_occupied", "vip-1"]);
  const wire = sockudo(body, `,"job_id":"JOB-77"`);
  expect(planJob(leased(wire, { id: "record-1" }), context).learntId).toBe("JOB-77");
  expect(planJob(leased(wire, { id: "JOB-77" }), context).learntId).toBeNull();
  expect(planJob(leased(sockudo(body), { id: "record-1" }), context).learntId).toBeNull();
  expect(planJob(leased("no job", { id: "record-1" }), context).learntId).toBeNull();
  const plan = planJob(leased(wire, { id: "record-1" }), context);
  if (plan.kind !== "settle" || plan.disposition.verb !== "replace") throw new Error("expected children");
  for (const child of plan.disposition.jobs) {
    expect(planJob(leased(child.body, { id: child.id }), context).learntId).toBeNull();
  }
});
