import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { createMatcher, type HistoryFilter } from "../../src/history/filter.ts";
import type { DeliveryState } from "../../src/history/entry.ts";
import type { HistoryRequest } from "../../src/history/file/messages.ts";
import { conditionOf } from "../../src/history/file/query.ts";
import { attemptRecord, cancelledRecord, type HistoryRecord } from "../../src/history/file/record.ts";
import { readRow } from "../../src/history/file/row.ts";
import { createHistoryServer } from "../../src/history/file/serve.ts";
import { deliveryOf, pusherDeliveryOf, rawDeliveryOf } from "./deliveries.ts";

/** What the thread of a history does with its file, on a real file, without the thread. */

const folder = mkdtempSync(join(tmpdir(), "hookline-history-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const delivered: Outcome = { kind: "delivered", status: 200, durationMs: 5 };
const failed: Outcome = { kind: "http_status", status: 503, retryAfterMs: 30, durationMs: 5 };
const bounds = { maxAgeMs: 1e15, maxBytes: 1e9 };

let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, `history-${files}.db`);
}

interface Made {
  readonly outcome?: Outcome;
  readonly state?: DeliveryState;
  readonly reason?: string | null;
  readonly at?: number;
}

function attemptOf(delivery: ReturnType<typeof deliveryOf>, made: Made = {}): HistoryRecord {
  const { outcome = delivered, state = "delivered", reason = null, at = 1_000_000 } = made;
  return attemptRecord(delivery, {
    mode: "add",
    attempt: { attempt: delivery.attempt, at, outcome, answer: delivery.trace?.answer ?? null },
    state,
    reason,
    keepsBody: true,
  });
}

function open(path = newPath()) {
  const serve = createHistoryServer(path);
  let last = 0;
  const ask = (request: HistoryRequest) => serve((last += 1), request);
  const sound = (request: HistoryRequest) => {
    const reply = ask(request);
    expect(reply.error).toBeNull();
    return reply;
  };
  return {
    path,
    ask,
    sound,
    append: (records: readonly HistoryRecord[], given = bounds) =>
      ask({ do: "append", batch: records.flatMap(({ fields }) => fields), bounds: given }),
    list(filter: HistoryFilter = {}, most = 1000) {
      const { rows } = sound({ do: "list", below: null, condition: conditionOf(filter), most });
      return rows.map(readRow).filter(createMatcher(filter));
    },
    close: () => sound({ do: "close" }),
  };
}

describe("a history file", () => {
  test("gives back what was recorded, newest first, after it was closed and opened again", () => {
    const first = open();
    const crm = { ...deliveryOf("c"), app: null, endpoint: { name: "crm", label: "crm" } };
    first.append([
      attemptOf(deliveryOf("a")),
      attemptOf(pusherDeliveryOf("b"), { outcome: failed, state: "dead", reason: "attempts_exhausted" }),
      attemptOf(crm),
    ]);
    const { run } = first.sound({ do: "open", bounds });
    first.close();
    expect(statSync(first.path).mode & 0o777).toBe(0o600);

    const again = open(first.path);
    const entries = again.list();
    expect(entries.map(({ jobId, label, appId }) => [jobId, label, appId])).toEqual([
      ["c", "crm", null],
      ["b", "shop/orders", "shop"],
      ["a", "shop/orders", "shop"],
    ]);
    expect(again.sound({ do: "open", bounds }).run).toBe(run);
    const [, b, a] = entries;
    expect(b).toMatchObject({ state: "dead", deadReason: "attempts_exhausted", isFailure: true });
    expect(b?.attempts).toEqual([{ attempt: 1, at: 1_000_000, outcome: failed, answer: "taken" }]);
    const sent = pusherDeliveryOf("b");
    expect(b?.body).toEqual({
      job: { ...sent.job, appKey: null } as typeof sent.job,
      boundEvents: sent.boundEvents,
      content: sent.content,
    });
    expect(a?.body?.content).toBe(deliveryOf("a").content);
    again.close();
  });

  test("the attempts of a delivery are one entry, also across a restart; a redrive is another", () => {
    const first = open();
    first.append([attemptOf(deliveryOf("a"), { outcome: failed, state: "retrying" })]);
    first.close();
    const again = open(first.path);
    expect(again.append([attemptOf(deliveryOf("a", 2), { outcome: failed, state: "dead" })]).open).toBe(0);
    expect(again.list().map(({ attempts, state }) => [attempts.length, state])).toEqual([[2, "dead"]]);
    again.append([
      attemptOf(deliveryOf("a", 1), { outcome: failed, state: "retrying" }),
      attemptOf(deliveryOf("a", 1), { outcome: failed, state: "released" }),
    ]);
    again.append([{ ...cancelledRecord({ ...deliveryOf("a"), queue: "webhooks" }, 5_000_000, true) }]);
    expect(again.list().map(({ attempts, state }) => [attempts.length, state])).toEqual([
      [2, "cancelled"],
      [2, "dead"],
    ]);
    again.append([{ ...cancelledRecord({ ...deliveryOf("z"), queue: "webhooks" }, 6_000_000, true) }]);
    expect(again.list()[0]).toMatchObject({ jobId: "z", attempts: [], cancelledAt: 6_000_000 });
    for (let attempt = 1; attempt <= 80; attempt += 1) {
      again.append([attemptOf(deliveryOf("many", attempt), { outcome: failed, state: "retrying" })]);
    }
    const [many] = again.list({ job_id: "many" });
    expect([many?.attempts.length, many?.attemptsLeftOut, many?.attempts.at(-1)?.attempt]).toEqual([
      50, 30, 80,
    ]);
    again.close();
  });

  test("bytes that are no text, and texts with any character, come back as they were", () => {
    const file = open();
    const odd = `{"data":"\x1f\u0000\ud83d\ude00"}`;
    const bytes = new Uint8Array([0, 255, 31, 128]);
    file.append([attemptOf(rawDeliveryOf("odd", odd)), attemptOf(rawDeliveryOf("bytes", bytes))]);
    expect(file.list().map(({ body }) => body?.content)).toEqual([bytes, odd]);
    file.close();
  });

  test("no secret of an app or of a configured header is in it", () => {
    const file = open();
    const delivery = {
      ...deliveryOf("a"),
      endpoint: {
        name: "orders",
        label: "shop/orders",
        headers: [["authorization", "Bearer hidden"]] as const,
      },
      trace: {
        headers: [
          ["webhook-id", "a"],
          ["authorization", "Bearer hidden"],
          ["x-pusher-key", "hidden-key"],
        ] as const,
        answer: null,
      },
    };
    file.append([attemptOf(delivery), attemptOf(rawDeliveryOf("raw", '{"app_secret":"hidden-too"}'))]);
    expect(file.list().map(({ headers, body }) => [headers, body === null])).toEqual([
      [[], true],
      [
        [
          ["webhook-id", "a"],
          ["authorization", "***"],
          ["x-pusher-key", "***"],
        ],
        false,
      ],
    ]);
    file.close();
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(`history-${files}.db`)) continue;
      expect(readFileSync(join(folder, name)).includes("hidden")).toBe(false);
    }
  });

  test("every filter finds what it finds in memory", () => {
    const file = open();
    file.append([
      attemptOf(deliveryOf("a"), { outcome: failed, state: "dead", reason: "http_503", at: 1_000_000 }),
      attemptOf(deliveryOf("b"), { at: 2_000_000 }),
      attemptOf(
        { ...deliveryOf("c"), app: null, endpoint: { name: "crm", label: "crm" } },
        { at: 3_000_000 },
      ),
      attemptOf({ ...deliveryOf("d"), held: { lease: { queue: "other" } } }, { at: 4_000_000 }),
      attemptOf(pusherDeliveryOf("e"), { at: 5_000_000 }),
    ]);
    const found = (filter: HistoryFilter) =>
      file
        .list(filter)
        .map(({ jobId }) => jobId)
        .join("");
    expect(found({})).toBe("edcba");
    expect(found({ queue: "other" })).toBe("d");
    expect(found({ queues: ["other", "x"] })).toBe("d");
    expect(found({ app: "-" })).toBe("c");
    expect(found({ app: "shop", endpoint: "orders" })).toBe("edba");
    expect(found({ apps: ["-"] })).toBe("c");
    expect(found({ endpoint: "-/crm" })).toBe("c");
    expect(found({ event: "channel_occupied" })).toBe("e");
    expect(found({ event: "order" })).toBe("");
    expect(found({ outcome: "http_status" })).toBe("a");
    expect(found({ status: "503" })).toBe("a");
    expect(found({ status: "2xx", queue: "webhooks" })).toBe("ecb");
    expect(found({ state: "dead", reason: "http_503" })).toBe("a");
    expect(found({ job_id: "b" })).toBe("b");
    expect(found({ ids: ["b", "c_aa"] })).toBe("cb");
    expect(found({ since: 2_000_000, until: 3_000_000 })).toBe("cb");
    file.close();
  });

  test("pages go on where they ended while new deliveries come", () => {
    const file = open();
    file.append(["a", "b", "c"].map((id) => attemptOf(deliveryOf(id))));
    const page = (below: number | null) =>
      file.sound({ do: "list", below, condition: conditionOf({}), most: 2 });
    const first = page(null);
    expect([first.rows.map(({ job_id: id }) => id), first.isLast]).toEqual([["c", "b"], false]);
    file.append([attemptOf(deliveryOf("d"))]);
    const second = page(first.rows.at(-1)?.number ?? 0);
    expect([second.rows.map(({ job_id: id }) => id), second.isLast]).toEqual([["a"], true]);
    file.close();
  });

  test("is bounded in age and in bytes, and gives no number twice", () => {
    const file = open();
    file.append([attemptOf(deliveryOf("old"), { at: 1_000 })]);
    file.close();
    const again = open(file.path);
    again.append([attemptOf(deliveryOf("new"), { at: Date.now() })], { ...bounds, maxAgeMs: 60_000 });
    expect(again.list().map(({ jobId, number }) => [jobId, number])).toEqual([["new", 2]]);
    again.close();

    const large = open();
    const body = JSON.stringify("x".repeat(50_000));
    for (let n = 0; n < 12; n += 1) {
      large.append(
        Array.from({ length: 20 }, (_, at) => attemptOf(deliveryOf(`${n}-${at}`, 1, body))),
        { ...bounds, maxBytes: 16_777_216 },
      );
    }
    const sizes = ["", "-wal"].map((end) => statSync(large.path + end).size);
    expect(sizes[0]! + sizes[1]!).toBeLessThan(16_777_216);
    const entries = large.list();
    expect(entries.length).toBeGreaterThan(20);
    expect(entries[0]?.jobId).toBe("11-19");
    large.close();
  });
});

describe("a history file that is not as it should be", () => {
  const aside = (path: string, mark: string) =>
    readdirSync(folder).filter((name) => join(folder, name).startsWith(`${path}.${mark}-`));

  test("damaged at the start: it is moved aside, with a note", () => {
    const path = newPath();
    writeFileSync(path, "this is no database at all, but long enough to be looked at as one".repeat(20));
    const file = open(path);
    const { notes } = file.append([attemptOf(deliveryOf("a"))]);
    expect(notes.join()).toContain("damaged");
    expect(aside(path, "damaged")).toHaveLength(1);
    expect(file.list().map(({ jobId }) => jobId)).toEqual(["a"]);
    file.close();
  });

  test("damaged while it is used: what came is in the new one", () => {
    const path = newPath();
    const file = open(path);
    file.append(Array.from({ length: 500 }, (_, n) => attemptOf(deliveryOf(`${n}`))));
    file.close();
    const bytes = readFileSync(path);
    bytes.fill(0xff, 8192, bytes.length);
    writeFileSync(path, bytes);
    const again = open(path);
    const replies = [again.append([attemptOf(deliveryOf("after"))])];
    replies.push(again.ask({ do: "list", below: null, condition: conditionOf({}), most: 1000 }));
    expect(replies.map(({ error }) => error)).toEqual([null, null]);
    expect(replies.flatMap(({ notes }) => notes).join()).toContain("damaged");
    expect(aside(path, "damaged").length).toBeGreaterThan(0);
    again.append([attemptOf(deliveryOf("later"))]);
    expect(again.list()[0]?.jobId).toBe("later");
    again.close();
  });

  test("of another version: it is moved aside", () => {
    const path = newPath();
    open(path).append([attemptOf(deliveryOf("a"))]);
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 0");
    database.close();
    const file = open(path);
    expect(file.append([attemptOf(deliveryOf("b"))]).notes.join()).toContain("another version");
    expect(aside(path, "version-0").length).toBeGreaterThan(0);
    expect(file.list().map(({ jobId }) => jobId)).toEqual(["b"]);
    file.close();
  });

  test("somebody else's database: it is left alone", () => {
    const path = newPath();
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE customers (name TEXT)");
    database.close();
    const before = statSync(path).size;
    const reply = open(path).append([attemptOf(deliveryOf("a"))]);
    expect([reply.isForeign, reply.error]).toEqual([true, expect.stringContaining("no history of hookline")]);
    expect(statSync(path).size).toBe(before);
  });

  test("removed, or replaced, while it is used: the next batch goes into what is there", () => {
    const file = open();
    file.append([attemptOf(deliveryOf("a"))]);
    rmSync(file.path);
    const removed = file.append([attemptOf(deliveryOf("b"))]);
    expect([removed.error, removed.notes.join()]).toEqual([null, expect.stringContaining("was removed")]);
    expect(existsSync(file.path)).toBe(true);
    expect(file.list().map(({ jobId }) => jobId)).toEqual(["b"]);

    const other = open();
    other.append([attemptOf(deliveryOf("other"))]);
    other.close();
    renameSync(other.path, file.path);
    const replaced = file.append([attemptOf(deliveryOf("c"))]);
    expect([replaced.error, replaced.notes.join()]).toEqual([null, expect.stringContaining("was replaced")]);
    expect(file.list().map(({ jobId }) => jobId)).toEqual(["c", "other"]);
    file.close();
  });

  test("locked by another program: the batch is refused whole, and taken later", () => {
    const file = open();
    file.append([attemptOf(deliveryOf("a"))]);
    const other = new DatabaseSync(file.path);
    other.exec("BEGIN IMMEDIATE");
    expect(file.append([attemptOf(deliveryOf("b"))]).error).toContain("locked");
    other.exec("COMMIT");
    expect(other.prepare("SELECT job_id, outcome, attempt, answer FROM attempts").all()).toEqual([
      { job_id: "a", outcome: "delivered", attempt: 1, answer: "taken" },
    ] as never);
    other.close();
    expect(file.append([attemptOf(deliveryOf("b"))]).error).toBeNull();
    expect(file.list().map(({ jobId }) => jobId)).toEqual(["b", "a"]);
    file.close();
  });
});
