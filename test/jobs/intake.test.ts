import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { decodeJob } from "../../src/jobs/decode.ts";
import { readJobs } from "../../src/jobs/intake.ts";
import type { IntakeItem, IntakeOptions, KnownApp } from "../../src/jobs/intake.ts";
import { jobIdPattern } from "../../src/jobs/job.ts";
import soketiMessages from "../fixtures/soketi-1.6.1-sqs-fifo.json";

const payload = '{"time_ms":12345678901234567890, "events":[{"name":"a","channel":"c","n":1.0}]}';
const app: KnownApp = {
  id: "app-1",
  secret: "app-secret",
  previousSecrets: ["old-secret"],
  accept: new Set(["soketi", "sockudo", "native"]),
};
const narrow: KnownApp = { ...app, id: "narrow", accept: new Set(["soketi"]) };

function optionsWith(change: Partial<IntakeOptions> = {}): IntakeOptions {
  return {
    queue: "webhooks",
    format: "auto",
    apps: {
      findApp: (id, key) =>
        id === "app-1" || (id === null && key === "app-key") ? app : id === "narrow" ? narrow : null,
    },
    capabilities: { dedup: true, ordersGroups: false, maxDelayMs: 60_000, maxPayloadBytes: 100_000 },
    idempotencyKey: null,
    now: Date.UTC(2026, 0, 2),
    ...change,
  };
}

const fifo = { dedup: true, ordersGroups: true, maxDelayMs: 0, maxPayloadBytes: 1_048_576 };

function items(body: string, change: Partial<IntakeOptions> = {}): readonly IntakeItem[] {
  const intake = readJobs(body, optionsWith(change));
  if (!intake.ok) throw new Error(intake.message);
  return intake.items;
}

function job(body: string, change: Partial<IntakeOptions> = {}) {
  const [item] = items(body, change);
  if (item?.ok !== true) throw new Error(JSON.stringify(item));
  return item.job;
}

function refusal(body: string, change: Partial<IntakeOptions> = {}): string {
  const [item] = items(body, change);
  return item?.ok === false ? `${item.code}: ${item.message}` : "taken";
}

function soketi(secret: string): string {
  const signature = createHmac("sha256", secret).update(payload).digest("hex");
  return `{"appKey":"app-key","appId":"app-1","payload":${payload},"originalPusherSignature":"${signature}"}`;
}

const sockudo = `{"app_id":"app-1","app_key":"app-key","app_secret":"s3cret","payload":${payload}}`;

describe("every form becomes a native envelope", () => {
  test.each([
    ["Sockudo", sockudo, "sockudo"],
    ["Sockudo by key", `{"app_key":"app-key","payload":${payload}}`, "sockudo"],
    ["v5's envelope", `{"version":2,"data":${sockudo}}`, "sockudo"],
    ["Soketi", soketi("app-secret"), "soketi"],
    ["Soketi, signed with a previous secret", soketi("old-secret"), "soketi"],
    ["native", `{"hookline":1,"id":"x","kind":"pusher","app_id":"app-1","payload":${payload}}`, "native"],
  ] as const)("%s", (_, body, source) => {
    const { id, body: envelope, routing, group, delayMs, deduplicationId } = job(body);
    expect(id).toMatch(jobIdPattern);
    expect({ group, delayMs, deduplicationId }).toEqual({ group: null, delayMs: 0, deduplicationId: null });
    expect(routing).toEqual({ appId: "app-1", channel: "c", event: "a" });
    expect(envelope).toStartWith(`{"hookline":1,"id":"${id}","kind":"pusher","app_id":"app-1"`);
    expect(envelope).toEndWith(`,"payload":${payload}}`);
    expect(envelope).not.toContain("s3cret");
    expect(decodeJob(envelope, { format: "auto" })).toMatchObject({ kind: "pusher", source, payload });
  });

  test("generic, with a timestamp", () => {
    const { body, routing, id } = job('{"type":"order.created","data":{"n":1.0},"endpoint":"crm"}');
    expect(decodeJob(body, { format: "auto" })).toMatchObject({
      kind: "generic",
      id,
      type: "order.created",
      timestamp: "2026-01-02T00:00:00.000Z",
      data: '{"n":1.0}',
      endpoint: "crm",
      appId: null,
    });
    expect(routing).toEqual({ appId: "", channel: "", event: "order.created" });
  });

  test("a named endpoint that nobody configured is taken: it may be there when the job is delivered", () => {
    expect(refusal('{"type":"t","data":1,"endpoint":"nowhere"}')).toBe("taken");
  });

  test.each(soketiMessages.map(({ body }, at) => [at, body] as const))(
    "captured Soketi message %i",
    (_, body) => {
      const parsed = JSON.parse(body) as { payload: unknown };
      expect(job(body).body).toEndWith(`,"payload":${JSON.stringify(parsed.payload)}}`);
    },
  );

  test("the bytes of each job of an array survive", () => {
    const bodies = [sockudo, soketi("app-secret"), sockudo.replace("1.0", '1e400,"\\u0061":"é\\/"')];
    const taken = items(` [ ${bodies.join(" ,\n")} ] `);
    expect(taken).toHaveLength(3);
    for (const [at, item] of taken.entries()) {
      const [, text] = /"payload":(.*\})(,"orig|\}$)/.exec(bodies[at] as string) as RegExpExecArray;
      expect(item.ok && item.job.body).toEndWith(`,"payload":${text}}`);
    }
  });
});

describe("refusals", () => {
  test.each([
    ['{"app_id":"nobody","payload":{"time_ms":1,"events":[]}}', "unknown_app: "],
    ['{"type":"t","data":1,"app_id":"nobody"}', "unknown_app: "],
    [soketi("wrong"), "bad_signature: "],
    [soketi("app-secret").replace("1.0", "1.00"), "bad_signature: "],
    [
      '{"app_id":"narrow","payload":{"time_ms":1,"events":[]}}',
      "format_not_accepted: app narrow does not accept sockudo",
    ],
    ['{"type":"t","data":1,"app_id":"narrow"}', "format_not_accepted: app narrow does not accept native"],
    [
      '{"hookline":1,"kind":"generic","app_id":"app-1","type":"t","timestamp":"2026-12-01T00:00:00Z","endpoint":"-/e","delivery_id":"d","redirected":true,"data":1}',
      "malformed: redirected: only a redrive sets it",
    ],
    ["{}", "malformed: no known form"],
    ["7", "malformed: expected a JSON object, got a number"],
    ['{"type":"t","data":1,"endpoint":"e","url":"http://x"}', "malformed: url: a job names"],
    ['{"type":"t","data":1,"endpoint":"e","delay_ms":-1}', "malformed: delay_ms:"],
    ['{"type":"t","data":1,"endpoint":"e","delay_ms":1.5}', "malformed: delay_ms:"],
    ['{"type":"t","data":1,"endpoint":"e","delay_ms":"5"}', "malformed: delay_ms:"],
    ['{"type":"t","data":1,"endpoint":"e","delay_ms":1e400}', "malformed: delay_ms:"],
    ['{"type":"t","data":1,"endpoint":"e","group":5}', "malformed: group:"],
    ['{"type":"t","data":1,"endpoint":"e","group":""}', "malformed: group:"],
    ['{"type":"t","data":1,"endpoint":"e","deduplication_id":{}}', "malformed: deduplication_id:"],
    [
      '{"type":"t","data":1,"endpoint":"e","delay_ms":60001}',
      "unsupported_by_driver: delay_ms: this queue's driver delays a job by at most 60000 ms",
    ],
    ['{"type":"t","data":1,"endpoint":"e","group":"g"}', "unsupported_by_driver: group:"],
    [
      '{"type":"t","data":1,"endpoint":"e","deduplication_id":"d"}',
      "unsupported_by_driver: deduplication_id:",
    ],
    [`{"type":"t","data":"${"é".repeat(50_000)}","endpoint":"e"}`, "payload_too_large: the job has 100"],
  ])("%p", (body, expected) => expect(refusal(body)).toStartWith(expected));

  test("a driver without delays says so", () => {
    expect(refusal('{"type":"t","data":1,"endpoint":"e","delay_ms":1}', { capabilities: fifo })).toBe(
      "unsupported_by_driver: delay_ms: this queue's driver cannot delay a job",
    );
  });

  test("an Idempotency-Key where nothing can deduplicate is refused as a whole", () => {
    const capabilities = { ...fifo, dedup: false };
    expect(readJobs(sockudo, optionsWith({ idempotencyKey: "k", capabilities }))).toMatchObject({
      ok: false,
      code: "unsupported_by_driver",
    });
  });

  test.each(["", "nope", "[1,", "\ufeff[]"])("%j is no request", (body) => {
    expect(readJobs(body, optionsWith())).toMatchObject({ ok: false, code: "malformed" });
  });

  test("bad items are named in their places and spoil no others", () => {
    const body = `[${sockudo}, 7, {"id":"x-1"}, {"app_id":"nobody","job_id":"a.b","payload":{"time_ms":1,"events":[]}}, ${soketi("app-secret")}]`;
    const seen = items(body).map((item) => (item.ok ? "ok" : `${item.code} ${item.id}`));
    expect(seen).toEqual([
      "ok",
      "malformed null",
      "malformed x-1",
      "unknown_app 2e7336dc8eba87ef472df568c35482ab",
      "ok",
    ]);
  });

  test("keys named __proto__ and constructor change nothing", () => {
    expect(refusal('{"__proto__":{"app_id":"app-1","payload":{"time_ms":1,"events":[]}}}')).toStartWith(
      "malformed",
    );
    expect(refusal(`{"constructor":1,${sockudo.slice(1)}`)).toBe("taken");
  });

  test("an empty array is a request with nothing in it", () => {
    expect(readJobs(" [ ] ", optionsWith())).toEqual({ ok: true, isArray: true, items: [] });
  });
});

describe("options of a job", () => {
  test("delay, group and deduplication id go to the driver", () => {
    const body = sockudo.replace("{", '{"delay_ms":0,"group":"g","deduplication_id":"d",');
    expect(job(body, { capabilities: fifo })).toMatchObject({ delayMs: 0, group: "g", deduplicationId: "d" });
    expect(job(sockudo.replace("{", '{"delay_ms":500,')).delayMs).toBe(500);
    expect(job('{"type":"t","data":1,"endpoint":"e","delay_ms":500}').delayMs).toBe(500);
  });

  test("v5's envelope holds them beside its id", () => {
    const { id, delayMs } = job(`{"version":2,"id":"e-1","delay_ms":7,"data":${sockudo}}`);
    expect({ id, delayMs }).toEqual({ id: "e-1", delayMs: 7 });
  });

  test.each([
    ['"id":"my-id"', "my-id"],
    ['"job_id":"my-id"', "my-id"],
    ['"id":"a.b"', "2e7336dc8eba87ef472df568c35482ab"],
    ['"id":12', "12"],
  ])("%s is the job's id", (field, id) => {
    expect(job(sockudo.replace("{", `{${field},`)).id).toBe(id);
    expect(job(`{"type":"t","data":1,"endpoint":"e",${field}}`).id).toBe(id);
  });

  test("a job without an id, or with an empty one, gets a new one", () => {
    const ids = [job(sockudo).id, job(sockudo).id, job(sockudo.replace("{", '{"id":"",')).id];
    expect(new Set(ids).size).toBe(3);
  });

  test("two bound jobs of one parent are two jobs, and keep the delivery's id", () => {
    const bound = (id: string): string =>
      `{"hookline":1,"id":"j","kind":"pusher","app_id":"app-1","endpoint":"e","delivery_id":"${id}","payload":${payload}}`;
    const jobs = [job(bound("j_11111111")), job(bound("j_22222222"))];
    expect(jobs.map(({ id }) => id)).toEqual(["j_11111111", "j_22222222"]);
    expect(jobs.map(({ dedup }) => dedup?.key)).toEqual(["id:j_11111111", "id:j_22222222"]);
    expect(jobs[0]?.body).toBe(bound("j_11111111"));
  });
});

describe("deduplication", () => {
  // Finding: another body under the same id was answered "duplicate" and was silently gone.
  test("an id stands for one job: what is the same has one fingerprint, another job another", () => {
    const withId = sockudo.replace("{", '{"id":"x",');
    const first = job(withId, { idempotencyKey: "k" }).dedup;
    expect(first).toEqual({ key: "id:x", fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const same = [withId, ` ${sockudo.replace("{", '{ "delay_ms": 10, "id":"x",')} `];
    for (const body of same) expect(job(body).dedup).toEqual(first);
    const others = [withId.replace("1.0", "2"), withId.replace("12345678901234567890", "1")];
    for (const body of others) {
      expect(job(body).dedup?.key).toBe("id:x");
      expect(job(body).dedup?.fingerprint).not.toBe(first!.fingerprint);
    }
    expect(job(withId, { queue: "other" }).dedup?.fingerprint).not.toBe(first!.fingerprint);
  });

  test("a generic job without a timestamp is the same job a second later, with one it is not", () => {
    const generic = '{"id":"x","type":"t","data":1,"endpoint":"e"}';
    const dated = (time: string) => generic.replace("{", `{"timestamp":"${time}",`);
    const later = { now: Date.UTC(2026, 0, 3) };
    expect(job(generic, later).dedup).toEqual(job(generic).dedup);
    expect(job(generic, later).body).not.toBe(job(generic).body);
    expect(job(dated("2026-01-01T00:00:00Z"), later).dedup).toEqual(job(dated("2026-01-01T00:00:00Z")).dedup);
    expect(job(dated("2026-01-01T00:00:00Z")).dedup).not.toEqual(job(dated("2026-01-01T00:00:01Z")).dedup!);
    expect(job(generic.replace(":1", ":2")).dedup).not.toEqual(job(generic).dedup);
  });

  test("an Idempotency-Key holds for each place of the array, with the item's own text", () => {
    const keys = (body: string, key: string, queue = "webhooks") =>
      items(body, { idempotencyKey: key, queue }).map((item) => (item.ok ? item.job.dedup : null));
    const [first, second] = keys(`[${sockudo},${sockudo}]`, "k");
    expect(first?.key).not.toBe(second?.key);
    expect(first?.fingerprint).toBe(second?.fingerprint as string);
    expect(keys(`[ ${sockudo} ]`, "k")[0]).toEqual(first as NonNullable<typeof first>);
    expect(keys(sockudo, "k")[0]).toEqual(first as NonNullable<typeof first>);
    expect(keys(sockudo.replace("1.0", "1.00"), "k")[0]).toMatchObject({ key: first?.key });
    expect(keys(sockudo.replace("1.0", "1.00"), "k")[0]?.fingerprint).not.toBe(first?.fingerprint);
    expect(keys(sockudo, "k", "other")[0]?.fingerprint).not.toBe(first?.fingerprint);
    expect(keys(sockudo, "other")[0]?.key).not.toBe(first?.key);
  });

  test("without id and key there is none, and none where the driver cannot", () => {
    expect(job(sockudo).dedup).toBeNull();
    const capabilities = { ...fifo, dedup: false };
    expect(job(sockudo.replace("{", '{"id":"x",'), { capabilities }).dedup).toBeNull();
  });
});

describe("a raw queue", () => {
  const raw = { format: "raw" } as const;

  test.each([
    '{"any": 1.0}',
    '"text"',
    "12345678901234567890",
    "null",
    sockudo,
    '{"id":"evt","delay_ms":"x","group":7}',
  ])("takes %s as content, byte for byte", (body) => {
    const { body: envelope, id, delayMs, dedup, routing } = job(body, raw);
    expect(decodeJob(envelope, raw)).toMatchObject({ kind: "raw", content: body, id, endpoint: null });
    expect({ delayMs, dedup, routing }).toEqual({ delayMs: 0, dedup: null, routing: null });
  });

  test("takes an array as several contents", () => {
    const contents = items('[{"a":1}, [2], 3.0]', raw).map((item) =>
      item.ok ? (decodeJob(item.job.body, raw) as { content: string }).content : null,
    );
    expect(contents).toEqual(['{"a":1}', "[2]", "3.0"]);
  });

  test("opens an envelope of kind raw, with its options", () => {
    const body =
      '{"hookline":1,"kind":"raw","id":"r-1","delay_ms":9,"attributes":{"a":"b"},"content":"plain"}';
    const taken = job(body, raw);
    expect(taken).toMatchObject({ id: "r-1", delayMs: 9 });
    expect(decodeJob(taken.body, raw)).toMatchObject({ content: "plain", attributes: { a: "b" } });
  });

  test("takes an envelope of another kind as content", () => {
    const body = `{"hookline":1,"id":"x","kind":"pusher","app_id":"app-1","payload":${payload}}`;
    expect(decodeJob(job(body, raw).body, raw)).toMatchObject({ kind: "raw", content: body });
  });
});
