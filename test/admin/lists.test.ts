import { afterEach, describe, expect, test } from "bun:test";
import { createMasker } from "../../src/secrets/masker.ts";
import { describeDeadLetter } from "../../src/admin/dead-view.ts";
import { maskedStart } from "../../src/secrets/masked-start.ts";
import { createPacer } from "../../src/pacer.ts";
import { shownBody } from "../../src/admin/shown-body.ts";
import type { DeadLetter, QueueDriver } from "../../src/queue/driver.ts";
import { app1, runningChild, startAdmin, type Admin, type AdminSetup } from "./start-admin.ts";

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

interface Page {
  items: { id: string; job: { body: string; truncated?: boolean; body_bytes?: number } }[];
  cursor: string | null;
  complete: boolean;
}

function letter(n: number, body: DeadLetter["body"], more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: `job-${n}`,
    jobId: `job-${n}`,
    reason: "http_410",
    detail: null,
    endpoint: "app-1/hook",
    attempts: 1,
    failedAt: 1_700_000_000_000,
    enqueuedAt: null,
    body,
    ...more,
  };
}

/** A driver with these dead letters, whose cursor is a number, and what was asked of it. */
function holding(letters: readonly DeadLetter[]) {
  const asked: { limit: number; maxBytes?: number }[] = [];
  const driver = (memory: QueueDriver): QueueDriver => ({
    ...memory,
    async deadLetters(_queue, request) {
      asked.push(request);
      const from = Number(request.cursor ?? 0);
      const items: DeadLetter[] = [];
      let bytes = 0;
      for (const item of letters.slice(from, from + request.limit)) {
        bytes += item.body.length;
        if (items.length > 0 && bytes > (request.maxBytes ?? Infinity)) break;
        items.push(item);
      }
      const end = from + items.length;
      const cursors = items.map((_, at) => String(from + at + 1));
      const cursor = end < letters.length ? String(end) : null;
      return { items, cursors, looked: items.length, cursor, complete: true };
    },
  });
  return { asked, driver };
}

/** All pages of a path, and the largest answer. */
async function allPages(
  admin: Admin,
  path: string,
): Promise<{ ids: string[]; largest: number; pages: number }> {
  const ids: string[] = [];
  let largest = 0;
  let pages = 0;
  let cursor: string | null = null;
  do {
    const text = await (await admin.get(`${path}${cursor === null ? "" : `&cursor=${cursor}`}`)).text();
    const page = JSON.parse(text) as Page;
    expect(page.items.length).toBeGreaterThan(0);
    expect(page.complete).toBe(page.cursor === null);
    ids.push(...page.items.map(({ id }) => id));
    largest = Math.max(largest, Buffer.byteLength(text));
    pages += 1;
    cursor = page.cursor;
  } while (cursor !== null);
  return { ids, largest, pages };
}

// faults.md B2: 300 dead letters of 1 MB made an answer of 300 MB, and 7 s of silence.
describe("a page of dead letters", () => {
  const path = "/v1/queues/webhooks/dead?limit=1000";

  test("shows 4 KiB of a body and says that it is cut", async () => {
    const body = "é".repeat(500_000);
    const { driver } = holding([letter(1, body), letter(2, "{}")]);
    const page = (await (await (await start({ driver })).get(path)).json()) as Page;
    expect(page.items[0]?.job).toMatchObject({
      body: "é".repeat(2048),
      truncated: true,
      body_bytes: 1_000_000,
    });
    expect(page.items[1]?.job).not.toHaveProperty("truncated");
  });

  test("never has more than 4 MB, whatever its bodies are written as, and the cursor leads to all", async () => {
    for (const body of ["\u0001".repeat(5_000), "x".repeat(4_096), '"'.repeat(4_000)]) {
      const letters = Array.from({ length: 400 }, (_, n) =>
        letter(n, body, { detail: "\u0001".repeat(9_000) }),
      );
      const { driver } = holding(letters);
      const { ids, largest, pages } = await allPages(await start({ driver }), path);
      expect(ids).toEqual(letters.map(({ id }) => id));
      expect(largest).toBeLessThanOrEqual(4_000_000);
      expect(pages).toBeLessThanOrEqual(6);
    }
  });

  test("asks the backend for a few megabytes at a time, and for no more than the limit", async () => {
    const letters = Array.from({ length: 90 }, (_, n) => letter(n, "x".repeat(1_000_000)));
    const { asked, driver } = holding(letters);
    const admin = await start({ driver });
    const first = (await (await admin.get("/v1/queues/webhooks/dead?limit=7")).json()) as Page;
    expect(first.items).toHaveLength(7);
    expect(asked.map(({ limit }) => limit)).toEqual([7, 3]);
    expect(asked.every(({ maxBytes }) => maxBytes === 4_000_000)).toBe(true);
    const { ids, pages } = await allPages(admin, path);
    expect(ids).toEqual(letters.map(({ id }) => id));
    expect(pages).toBe(3);
  });

  test("bounds what a producer or another program wrote beside the body", () => {
    const long = "x".repeat(100_000);
    const item = letter(1, '{"hookline":1,"id":"theirs","kind":"pusher","payload":{}}', {
      id: long,
      reason: long,
      detail: long,
      endpoint: long,
      failedAt: 1e20,
    });
    const shown = describeDeadLetter({ mask: String }, "auto", item);
    expect(JSON.stringify(shown).length).toBeLessThan(3_000);
    expect(shown).toMatchObject({ failed_at: null, job: { id: "theirs" } });
  });

  test("finds the ids of a large delivery without reading all of it", () => {
    const head =
      '{"hookline":1,"id":"order-1","kind":"pusher","app_id":"a","endpoint":"h","delivery_id":"order-1_aa"';
    const body = `${head},"payload":{"time_ms":1,"events":[${'{"name":"e"},'.repeat(100_000)}{"name":"e"}]}}`;
    const item = letter(1, body, { jobId: "order-1_aa" });
    const startedAt = performance.now();
    for (let n = 0; n < 200; n += 1) {
      expect(describeDeadLetter({ mask: String }, "auto", item)).toMatchObject({
        delivery_id: "order-1_aa",
        job: { id: "order-1" },
      });
    }
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });
});

test("long work lets others be served every few milliseconds", async () => {
  const admin = await start();
  const pace = createPacer();
  let served = 0;
  const work = new AbortController();
  const probes = (async () => {
    for (; !work.signal.aborted; served += 1) await admin.get("/health/live");
  })();
  for (let part = 0; part < 100; part += 1) {
    const end = performance.now() + 5;
    while (performance.now() < end);
    await pace();
  }
  work.abort();
  await probes;
  // 50 turns: a probe needs several of them, for its client is this process too.
  expect(served).toBeGreaterThan(3);
});

describe("a text that is cut", () => {
  const secret = "s3cr3t-".repeat(10);
  const mask = createMasker([secret]);

  test("shows nothing of a secret that the cut goes through, wherever it does", () => {
    for (let at = 4_096 - secret.length - 2; at <= 4_098; at += 1) {
      const text = `${"x".repeat(at)}${secret}${"y".repeat(5_000)}`;
      const shown = shownBody(mask, text)["body"] as string;
      expect(shown).not.toContain("s3c");
      expect(shown.startsWith("x".repeat(Math.min(at, 4_000)))).toBe(true);
      const bytes = shownBody(mask, Uint8Array.from(Buffer.from(`\xff${text}`, "latin1")));
      expect(Buffer.from(bytes["body_base64"] as string, "base64").toString("latin1")).not.toContain("s3c");
    }
  });

  test("shows nothing of it in any spelling", () => {
    const spelled = Array.from(secret)
      .map((c) => `\\u00${c.charCodeAt(0).toString(16)}`)
      .join("");
    for (let at = 4_096 - spelled.length; at < 4_096; at += 7) {
      const shown = maskedStart(mask, `{"a":"${"x".repeat(at)}${spelled}"}${"y".repeat(5_000)}`, 4_096);
      expect(shown).toEndWith("x");
    }
  });

  test("keeps whole characters", () => {
    expect(shownBody(String, `${"x".repeat(4_095)}😀${"y".repeat(10)}`)["body"]).toBe("x".repeat(4_095));
    expect(shownBody(String, `x${"😀".repeat(2_000)}`)["body"]).toBe(`x${"😀".repeat(1_023)}`);
    expect(shownBody(String, "x".repeat(4_096))).toEqual({ body: "x".repeat(4_096) });
  });
});

describe("lists", () => {
  const webhooks = Array.from({ length: 120 }, (_, n) => ({
    ...app1.webhooks![0]!,
    name: `hook-${n}`,
  }));

  test("of endpoints come in pages of 50, and the cursor leads to all of them", async () => {
    const admin = await start({
      config: { apps: [{ ...app1, webhooks }], endpoints: { "hook-1": { url: "http://127.0.0.1:1/" } } },
    });
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const response = await admin.get(`/v1/endpoints${cursor === null ? "" : `?cursor=${cursor}`}`);
      const page = (await response.json()) as Page & { endpoints: { label: string }[] };
      expect(page.endpoints.length).toBeLessThanOrEqual(50);
      expect(page.complete).toBe(page.cursor === null);
      names.push(...page.endpoints.map(({ label }) => label));
      cursor = page.cursor;
    } while (cursor !== null);
    expect(names).toEqual([...webhooks.map(({ name }) => `app-1/${name}`), "hook-1"]);
    const all = (await (await admin.get("/v1/endpoints?limit=1000")).json()) as { endpoints: unknown[] };
    expect(all.endpoints).toHaveLength(121);
  });

  test("of workers, queues and configuration are whole unless a limit is asked for", async () => {
    const children = Array.from({ length: 120 }, (_, n) => runningChild(`webhooks/loop-${n}`));
    const configEntries = () => children.map(({ id }) => ({ path: id, value: 1, source: "default" }));
    const queues = children.map((_, n) => `queue-${n}`);
    const admin = await start({ children, configEntries, config: { queue: { queues } } });
    for (const list of ["workers", "config", "queues"]) {
      const whole = (await (await admin.get(`/v1/${list}`)).json()) as Record<string, unknown[]>;
      expect(Object.keys(whole)).toEqual([list]);
      expect(whole[list]).toHaveLength(120);
      const first = (await (await admin.get(`/v1/${list}?limit=100`)).json()) as Record<string, unknown[]>;
      expect(first[list]).toHaveLength(100);
      expect(first["complete"] as unknown).toBe(false);
      const last = await admin.get(`/v1/${list}?limit=100&cursor=${String(first["cursor"])}`);
      expect((await last.json())[list]).toEqual(whole[list]!.slice(100));
    }
  });

  test("refuse a cursor that no page gave", async () => {
    const admin = await start();
    for (const path of ["/v1/endpoints", "/v1/workers", "/v1/config", "/v1/queues"]) {
      for (const cursor of ["nonsense", "%20", "e30", "Z29uZQ"]) {
        const response = await admin.get(`${path}?cursor=${cursor}`);
        expect({ path, cursor, status: response.status }).toEqual({ path, cursor, status: 400 });
        expect(await response.json()).toMatchObject({ code: "bad_cursor" });
      }
    }
  });

  // Finding: the entries of 10,000 apps were all made before the first was shown, and nobody else was served for 8 s.
  test("that are made entry by entry are made no further than their page", async () => {
    let made = 0;
    function* endless() {
      for (; ; made += 1) yield { path: `p.${made}`, value: 1, source: "default" };
    }
    const admin = await start({ configEntries: () => ((made = 0), endless()) });
    const first = (await (await admin.get("/v1/config?limit=100")).json()) as Page & { config: unknown[] };
    expect([first.config.length, made]).toEqual([100, 100]);
    const cursor = Buffer.from("p.5000").toString("base64url");
    const later = (await (await admin.get(`/v1/config?limit=3&cursor=${cursor}`)).json()) as typeof first;
    expect(later.config).toEqual(
      [5_001, 5_002, 5_003].map((n) => ({ path: `p.${n}`, value: 1, source: "default" })),
    );
  });

  test("end at 4 MB", async () => {
    const value = "x".repeat(300_000);
    const configEntries = () =>
      Array.from({ length: 20 }, (_, n) => ({ path: `p.${n}`, value, source: "default" }));
    const admin = await start({ configEntries });
    const text = await (await admin.get("/v1/config")).text();
    expect(text.length).toBeWithin(3_500_000, 4_000_001);
    const { cursor } = JSON.parse(text) as Page;
    const rest = (await (await admin.get(`/v1/config?cursor=${cursor}`)).json()) as { config: unknown[] };
    expect(rest.config).toHaveLength(7);
  });
});
