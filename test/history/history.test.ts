import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../src/delivery/outcome.ts";
import type { AttemptedDelivery } from "../../src/history/entry.ts";
import { createMatcher } from "../../src/history/filter.ts";
import { createHistory, type AttemptEnd, type HistorySettings } from "../../src/history/history.ts";

const delivered: Outcome = { kind: "delivered", status: 200, durationMs: 5 };
const failed: Outcome = { kind: "http_status", status: 503, retryAfterMs: null, durationMs: 5 };
const ack: AttemptEnd = { verb: "ack" };
const retry: AttemptEnd = { verb: "retry" };
const dead: AttemptEnd = { verb: "dead", reason: "http_404" };

function delivery(id: string, attempt = 1, data = '{"n":1}'): AttemptedDelivery {
  return {
    endpoint: { name: "orders", label: "shop/orders" },
    id: `${id}_aa`,
    jobId: id,
    attempt,
    held: { lease: { queue: "webhooks" } },
    app: { id: "shop" },
    job: {
      kind: "generic",
      source: "native",
      id,
      type: "order.paid",
      timestamp: "2026-11-30T00:00:00Z",
      data,
      appId: "shop",
      endpoint: null,
      deliveryId: null,
    },
    boundEvents: null,
    content: `{"data":${data}}`,
    trace: { headers: [["webhook-id", id]], answer: "taken" },
  };
}

function start(given: Partial<HistorySettings> = {}, maxBytes?: number) {
  const settings: HistorySettings = { enabled: true, memory_entries: 10, keep: "all", body: true, ...given };
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const history = createHistory({
    settings: () => settings,
    now,
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  const ids = () => [...history.list()].map(({ jobId }) => jobId);
  return { history, ids, clock };
}

describe("the history in memory", () => {
  test("lists the newest first, failures and successes in one order, and goes on below a number", async () => {
    const { history, ids } = start();
    history.record(delivery("a"), delivered, ack);
    history.record(delivery("b"), failed, dead);
    history.record(delivery("c"), delivered, ack);
    expect(ids()).toEqual(["c", "b", "a"]);
    const [first] = [...history.list()];
    expect([...history.list({ below: first!.number })].map(({ jobId }) => jobId)).toEqual(["b", "a"]);
    expect((await history.find(2))?.jobId).toBe("b");
    expect(await history.find(9)).toBeNull();
  });

  test("the attempts of a delivery are one entry; what comes after its end is another", () => {
    const { history } = start();
    history.record(delivery("a"), failed, retry);
    expect([...history.list()].map(({ state }) => state)).toEqual(["retrying"]);
    history.record(delivery("a", 2), delivered, ack);
    const [entry, ...others] = [...history.list()];
    expect(others).toEqual([]);
    expect(entry?.state).toBe("delivered");
    expect(entry?.attempts.map(({ attempt, outcome }) => [attempt, outcome.kind])).toEqual([
      [1, "http_status"],
      [2, "delivered"],
    ]);
    history.record(delivery("b"), failed, dead);
    history.record(delivery("b"), delivered, ack);
    expect([...history.list()].map(({ state }) => state)).toEqual(["delivered", "dead", "delivered"]);
  });

  test("a redrive that counts from 1 again is another entry", () => {
    const { history } = start();
    history.record(delivery("a", 3), failed, retry);
    history.record(delivery("a", 1), failed, retry);
    expect(history.size).toBe(2);
  });

  test("ten thousand attempts of one delivery take a bounded room, and the first one is kept", () => {
    const { history } = start();
    for (let attempt = 1; attempt <= 10_000; attempt += 1)
      history.record(delivery("a", attempt), failed, retry);
    const [entry] = [...history.list()];
    expect(entry?.attempts.length).toBe(50);
    expect(entry?.attempts[0]?.attempt).toBe(1);
    expect(entry?.attempts.at(-1)?.attempt).toBe(10_000);
    expect(entry?.attemptsLeftOut).toBe(9_950);
  });

  test("successes push no failure out of its half, and the reverse", () => {
    const { history, ids } = start({ memory_entries: 10 });
    for (let n = 0; n < 5; n += 1) history.record(delivery(`bad-${n}`), failed, dead);
    for (let n = 0; n < 100; n += 1) history.record(delivery(`good-${n}`), delivered, ack);
    expect(history.size).toBe(10);
    expect(ids().filter((id) => id.startsWith("bad"))).toHaveLength(5);
    for (let n = 5; n < 100; n += 1) history.record(delivery(`bad-${n}`), failed, dead);
    expect(history.size).toBe(10);
    expect(ids().filter((id) => id.startsWith("good"))).toEqual([
      "good-99",
      "good-98",
      "good-97",
      "good-96",
      "good-95",
    ]);
  });

  test("either may use what the other leaves", () => {
    const { history } = start({ memory_entries: 10 });
    for (let n = 0; n < 100; n += 1) history.record(delivery(`good-${n}`), delivered, ack);
    expect(history.size).toBe(10);
  });

  test("bodies go first, those of the shelf that takes more than half, the oldest before others", () => {
    const { history } = start({ memory_entries: 1_000 }, 100_000);
    const large = JSON.stringify("x".repeat(10_000));
    history.record(delivery("bad", 1, large), failed, dead);
    for (let n = 0; n < 20; n += 1) history.record(delivery(`good-${n}`, 1, large), delivered, ack);
    expect(history.size).toBe(21);
    const kept = [...history.list()].filter(({ body }) => body !== null).map(({ jobId }) => jobId);
    expect(kept).toContain("bad");
    expect(kept).toContain("good-19");
    expect(kept).not.toContain("good-0");
    expect([...history.list()].reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(100_000);
  });

  test("where no body is left entries go", () => {
    const { history, ids } = start({ memory_entries: 1_000, body: false }, 12_000);
    for (let n = 0; n < 100; n += 1) history.record(delivery(`good-${n}`), delivered, ack);
    expect(history.size).toBeLessThan(11);
    expect(ids()[0]).toBe("good-99");
  });

  test("a shelf of many thousands keeps its order while its front is given back", async () => {
    const { history, ids } = start({ memory_entries: 2_000 });
    for (let n = 0; n < 10_000; n += 1)
      history.record(delivery(`${n}`), n % 3 === 0 ? failed : delivered, ack);
    const numbers = ids().map(Number);
    expect(numbers).toHaveLength(2_000);
    expect(numbers.every((number, at) => at === 0 || number < (numbers[at - 1] as number))).toBe(true);
    expect((await history.find(9_999))?.jobId).toBe("9998");
  });

  test("keep: failed leaves out what was delivered at once", () => {
    const { history, ids } = start({ keep: "failed" });
    history.record(delivery("a"), delivered, ack);
    history.record(delivery("b"), failed, retry);
    history.record(delivery("b", 2), delivered, ack);
    expect(ids()).toEqual(["b"]);
    expect([...history.list()][0]?.state).toBe("delivered");
  });

  test("what is switched off remembers nothing, and lets go of what it had", () => {
    const settings = { enabled: true, memory_entries: 10, keep: "all" as const, body: true };
    const history = createHistory({ settings: () => settings, now: () => 0 });
    history.record(delivery("a"), delivered, ack);
    settings.enabled = false;
    history.record(delivery("b"), delivered, ack);
    expect(history.size).toBe(0);
  });
});

describe("a filter", () => {
  test("holds an entry against all that is given", () => {
    const { history, clock } = start();
    history.record(delivery("a"), failed, retry);
    clock.now += 60_000;
    history.record(delivery("a", 2), failed, dead);
    const [entry] = [...history.list()];
    const fits = (filter: Parameters<typeof createMatcher>[0]) => createMatcher(filter)(entry!);
    expect(fits({})).toBe(true);
    expect(fits({ queue: "webhooks", app: "shop", endpoint: "shop/orders", event: "order.paid" })).toBe(true);
    expect(fits({ app: "shop", endpoint: "orders" })).toBe(true);
    expect(fits({ endpoint: "orders" })).toBe(false);
    expect(fits({ endpoint: "-/orders" })).toBe(false);
    expect(fits({ app: "-" })).toBe(false);
    expect(fits({ event: "order" })).toBe(false);
    expect(fits({ outcome: "http_status", status: "503", state: "dead", reason: "http_404" })).toBe(true);
    expect(fits({ status: "5xx" })).toBe(true);
    expect(fits({ status: "4xx" })).toBe(false);
    expect(fits({ outcome: "delivered" })).toBe(false);
    expect(fits({ job_id: "b" })).toBe(false);
    // The same attempt must lie in both.
    expect(fits({ since: 1_010_000, until: 1_020_000 })).toBe(false);
    expect(fits({ since: 1_010_000 })).toBe(true);
    expect(fits({ until: 1_010_000 })).toBe(true);
    expect(fits({ since: 1_070_000 })).toBe(false);
  });
});
