import { expect } from "bun:test";
import type { Claim } from "./conformance-bench.ts";
import { deadly, job, sortedIds } from "./conformance-bench.ts";

export const settleClaims: readonly Claim[] = [
  {
    name: "an acked job is gone",
    async run({ driver, queue, put, take, lease, settle, timing }) {
      await put("{}");
      const held = await take({ leaseMs: timing.leaseMs });
      await settle({ verb: "ack" }, held);
      expect(await lease({ waitMs: timing.leaseMs * 2 })).toEqual([]);
      const { ready, leased } = await driver.stats(queue);
      expect([ready ?? 0, leased ?? 0]).toEqual([0, 0]);
    },
  },
  {
    name: "a retried job stays away for its delay and has one attempt charged",
    async run({ put, take, lease, settle, timing }) {
      const [id] = await put('{"n":1}');
      const first = await take();
      const started = performance.now();
      await settle({ verb: "retry", delayMs: timing.delayMs }, first);
      expect(await lease()).toEqual([]);
      const second = await take();
      expect(performance.now() - started).toBeGreaterThan(timing.delayMs * 0.8);
      expect([second.job.id, second.job.body, second.job.attempts]).toEqual([id!, '{"n":1}', 1]);
      expect(second.job.enqueuedAt).toBe(first.job.enqueuedAt);
    },
  },
  {
    name: "attempts add up over retries",
    async run({ put, take, settle }) {
      await put("{}");
      for (let attempts = 0; attempts < 5; attempts += 1) {
        const held = await take();
        expect(held.job.attempts).toBe(attempts);
        await settle({ verb: "retry", delayMs: 0 }, held);
      }
    },
  },
  {
    name: "a retry with a body replaces the bytes",
    async run({ put, take, settle }) {
      const [id] = await put('{"app_secret":"s"}');
      await settle({ verb: "retry", delayMs: 0, body: '{"clean":"é"}' }, await take());
      const second = await take();
      expect([second.job.id, second.job.body]).toEqual([id!, '{"clean":"é"}']);
      await settle({ verb: "retry", delayMs: 0 }, second);
      expect((await take()).job.body).toBe('{"clean":"é"}');
    },
  },
  {
    name: "a replaced body survives a lease that ends unsettled",
    async run({ put, take, settle, timing }) {
      await put("old");
      await settle({ verb: "retry", delayMs: 0, body: "new" }, await take());
      await take({ leaseMs: timing.leaseMs });
      const third = await take();
      expect([third.job.body, third.job.attempts]).toEqual(["new", 2]);
    },
  },
  {
    name: "a released job is ready at once and costs no attempt",
    needs: ["refundsAttempt"],
    async run({ put, take, settle }) {
      const [id] = await put('{"n":1}');
      await settle({ verb: "retry", delayMs: 0 }, await take());
      for (let round = 0; round < 3; round += 1) {
        const held = await take();
        expect([held.job.id, held.job.body, held.job.attempts]).toEqual([id!, '{"n":1}', 1]);
        await settle({ verb: "release" }, held);
      }
    },
  },
  {
    name: "released jobs come before those that wait in line",
    async run({ put, collect, settle }) {
      const ids = await put("1", "2", "3", "4");
      const held = await collect(2);
      await settle({ verb: "release" }, ...held);
      const again = await collect(4);
      expect(sortedIds(again.slice(0, 2))).toEqual(ids.slice(0, 2).sort());
    },
  },
  {
    name: "settlements of one call may be of every kind, and are answered in order",
    async run({ driver, queue, put, collect, dead }) {
      await put(...Array.from({ length: 7 }, (_, index) => job(`${index}`)));
      const leases = await collect(7);
      const [a, b, c, d, e, f, g] = leases;
      const results = await driver.settle([
        { verb: "ack", lease: a! },
        { verb: "retry", delayMs: 0, lease: b! },
        { ...deadly(), lease: c! },
        { verb: "ack", lease: a! },
        { verb: "park", key: "lane", lease: d! },
        { verb: "release", lease: e! },
        { verb: "replace", jobs: [{ id: "child", body: "child", endpoint: "app-1/x" }], lease: f! },
        { verb: "ack", lease: g! },
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        "settled",
        "settled",
        "settled",
        "lost",
        "settled",
        "settled",
        "settled",
        "settled",
      ]);
      const rest = await collect(4);
      expect(sortedIds(rest)).toEqual([b!.job.id, d!.job.id, e!.job.id, "child"].sort());
      expect((await dead()).map(({ jobId }) => jobId)).toEqual([c!.job.id]);
      expect(await driver.settle([])).toEqual([]);
      expect((await driver.stats(queue)).paused).toBe(false);
    },
  },
  {
    name: "close leaves jobs and leases to others",
    needs: ["durable", "peer"],
    async run({ driver, put, take, peer, timing }) {
      const ids = await put("1", "2");
      const held = await take({ leaseMs: timing.leaseMs });
      const other = await peer();
      await driver.close();
      const first = await take({}, other);
      const second = await take({}, other);
      expect([first.job.id, second.job.id].sort()).toEqual(ids.sort());
      expect([first, second].map(({ job }) => job.id)).toContain(held.job.id);
    },
  },
  {
    name: "jobs of every state are there for a driver that starts later",
    needs: ["durable", "peer", "maxDelayMs"],
    async run({ driver, queue, put, collect, settle, peer, timing }) {
      await put("1", "2", "3");
      const [a, b, c] = await collect(3);
      await settle({ verb: "retry", delayMs: timing.delayMs }, a!);
      await settle({ verb: "park", key: "lane" }, b!);
      await settle(deadly(), c!);
      await driver.close();
      const later = await peer();
      expect((await later.deadLetters(queue, { limit: 10, cursor: null })).items[0]?.jobId).toBe(c!.job.id);
      const back = await collect(2, {}, later);
      expect(sortedIds(back)).toEqual([a!.job.id, b!.job.id].sort());
    },
  },
];
