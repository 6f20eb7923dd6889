import { expect } from "bun:test";
import type { Claim } from "./conformance-bench.ts";
import { job, sortedBodies, sortedIds } from "./conformance-bench.ts";

const closed = (...keys: readonly string[]) => ({ closedKeys: new Set(keys) });
const child = (id: string, body = `{"child":"${id}"}`) => ({ id, body, endpoint: `app-1/${id}` });

export const parkClaims: readonly Claim[] = [
  {
    name: "a parked job stays away while its key is closed and comes back when it is open",
    async run({ put, take, lease, settle }) {
      const [id] = await put('{"n":1}');
      const first = await take();
      await settle({ verb: "park", key: "lane-a" }, first);
      expect(await lease(closed("lane-a"))).toEqual([]);
      expect(await lease({ ...closed("lane-b", "lane-a"), waitMs: 100 })).toEqual([]);
      const back = await take(closed("lane-b"));
      expect([back.job.id, back.job.body]).toEqual([id!, '{"n":1}']);
      expect(back.job.enqueuedAt).toBe(first.job.enqueuedAt);
    },
  },
  {
    name: "parking charges no attempt, however often",
    needs: ["refundsAttempt"],
    async run({ put, take, settle }) {
      await put("{}");
      await settle({ verb: "retry", delayMs: 0 }, await take());
      for (let round = 0; round < 4; round += 1) {
        const held = await take();
        expect(held.job.attempts).toBe(1);
        await settle({ verb: "park", key: `lane-${round % 2}` }, held);
      }
    },
  },
  {
    name: "parked jobs do not end when their lease would have",
    async run({ put, take, lease, settle, timing }) {
      await put("{}");
      await settle({ verb: "park", key: "lane" }, await take({ leaseMs: timing.leaseMs }));
      expect(await lease({ ...closed("lane"), waitMs: timing.leaseMs * 2 })).toEqual([]);
      expect((await take()).job.attempts).toBe(0);
    },
  },
  {
    name: "a park with a body replaces the bytes",
    async run({ put, take, settle }) {
      await put('{"app_secret":"s"}');
      await settle({ verb: "park", key: "lane", body: "clean" }, await take());
      expect((await take()).job.body).toBe("clean");
    },
  },
  {
    name: "what is parked is counted by key, with the enqueue time of what was parked first",
    async run({ driver, queue, put, collect, lease, settle }) {
      expect(await driver.parkedJobs?.(queue)).toEqual([]);
      await put("1", "2", "3");
      const held = await collect(3);
      await settle({ verb: "park", key: "app-1/one" }, held[0]!);
      await settle({ verb: "park", key: "app-1/one" }, held[1]!);
      await settle({ verb: "park", key: "ünï 😀" }, held[2]!);
      const parked = (await driver.parkedJobs?.(queue)) ?? [];
      expect(new Set(parked)).toEqual(
        new Set([
          { key: "app-1/one", count: 2, oldestEnqueuedAt: held[0]!.job.enqueuedAt },
          { key: "ünï 😀", count: 1, oldestEnqueuedAt: held[2]!.job.enqueuedAt },
        ]),
      );
      await lease({ ...closed("ünï 😀"), max: 10, parkedMax: 10 });
      expect((await driver.parkedJobs?.(queue))?.map(({ key, count }) => [key, count])).toEqual([
        ["ünï 😀", 1],
      ]);
    },
  },
  {
    name: "keys are told apart, whatever they are made of",
    async run({ put, collect, lease, settle }) {
      const keys = ["app-1/one", "app-1/two", "{brace}", "a:b", "ünï 😀", " "];
      const byId = new Map<string, string>();
      await put(...keys.map((key) => job(key)));
      for (const held of await collect(keys.length)) {
        byId.set(held.job.id, held.job.body as string);
        await settle({ verb: "park", key: held.job.body as string }, held);
      }
      for (const key of keys) {
        const others = closed(...keys.filter((one) => one !== key));
        const [held] = await collect(1, others);
        expect(byId.get(held!.job.id)).toBe(key);
        await settle({ verb: "ack" }, held!);
        expect(await lease(others)).toEqual([]);
      }
    },
  },
  {
    name: "a closed key holds nobody else up",
    async run({ put, collect, lease, settle }) {
      const ids = await put(...Array.from({ length: 40 }, () => job()));
      const parked = await collect(20);
      await settle({ verb: "park", key: "dead-endpoint" }, ...parked);
      const others = await collect(20, closed("dead-endpoint"));
      expect(await lease(closed("dead-endpoint"))).toEqual([]);
      const back = await collect(20);
      expect(sortedIds(back)).toEqual(sortedIds(parked));
      expect(sortedIds([...others, ...back])).toEqual(ids.sort());
    },
  },
  {
    name: "jobs parked under one key come back in the order they were parked",
    async run({ put, collect, settle }) {
      await put(...Array.from({ length: 12 }, () => job()));
      // Not the order they were put: a backend that keeps none leases them in any.
      const held = await collect(12);
      await settle({ verb: "park", key: "lane" }, ...held);
      const back = await collect(12, { max: 5 });
      expect(back.map((lease) => lease.job.id)).toEqual(held.map((lease) => lease.job.id));
    },
  },
  {
    name: "a lease call takes at most parkedMax of each key",
    async run({ put, collect, lease, settle }) {
      await put(...Array.from({ length: 10 }, (_, index) => job(index < 5 ? "lane-a" : "lane-b")));
      for (const held of await collect(10)) {
        await settle({ verb: "park", key: String(held.job.body) }, held);
      }
      expect(sortedBodies(await lease({ parkedMax: 2 }))).toEqual(["lane-a", "lane-a", "lane-b", "lane-b"]);
      expect(sortedBodies(await lease({ ...closed("lane-a"), parkedMax: 1 }))).toEqual(["lane-b"]);
      expect(sortedBodies(await lease({ parkedMax: 2 }))).toEqual(["lane-a", "lane-a", "lane-b", "lane-b"]);
      expect(sortedBodies(await lease({ parkedMax: 2 }))).toEqual(["lane-a"]);
    },
  },
  {
    name: "replace: the children are ready under their ids, the parent is gone",
    async run({ put, take, collect, lease, settle, timing }) {
      await put("parent");
      const parent = await take({ leaseMs: timing.leaseMs });
      await settle({ verb: "replace", jobs: [child("d_0001"), child("d_0002"), child("d_0003")] }, parent);
      const children = await collect(3);
      const bodies = new Map(children.map(({ job }) => [job.id, [job.body, job.attempts]]));
      expect(bodies).toEqual(
        new Map([
          ["d_0001", ['{"child":"d_0001"}', 0]],
          ["d_0002", ['{"child":"d_0002"}', 0]],
          ["d_0003", ['{"child":"d_0003"}', 0]],
        ]),
      );
      expect(await lease({ waitMs: timing.leaseMs * 2 })).toEqual([]);
    },
  },
  {
    name: "children come before those that wait in line",
    async run({ put, take, collect, settle }) {
      await put("parent", "2", "3");
      await settle({ verb: "replace", jobs: [child("d_1"), child("d_2")] }, await take());
      expect(sortedIds((await collect(4)).slice(0, 2))).toEqual(["d_1", "d_2"]);
    },
  },
  {
    name: "a child lives as any job: lease that ends, retry, park",
    async run({ put, take, lease, settle, timing }) {
      await put("parent");
      await settle({ verb: "replace", jobs: [child("d_1", "é")] }, await take());
      await take({ leaseMs: timing.leaseMs });
      const second = await take();
      expect([second.job.id, second.job.attempts]).toEqual(["d_1", 1]);
      await settle({ verb: "retry", delayMs: 0 }, second);
      const third = await take();
      await settle({ verb: "park", key: "lane" }, third);
      expect(await lease(closed("lane"))).toEqual([]);
      const fourth = await take();
      expect([fourth.job.id, fourth.job.body, fourth.job.attempts]).toEqual(["d_1", "é", 2]);
    },
  },
  {
    name: "a replace without children acks",
    async run({ put, take, lease, settle }) {
      await put("parent");
      await settle({ verb: "replace", jobs: [] }, await take());
      expect(await lease()).toEqual([]);
    },
  },
];
