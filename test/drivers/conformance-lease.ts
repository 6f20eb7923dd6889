import { expect } from "bun:test";
import type { Claim } from "./conformance-bench.ts";
import { job, sortedIds } from "./conformance-bench.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";

/** The queues that the driver says are paused. */
function pausesOf(driver: QueueDriver): string[] {
  const findings = driver.problems?.() ?? [];
  return findings.filter(({ kind }) => kind === "queue_paused").map(({ object }) => object);
}

export const leaseClaims: readonly Claim[] = [
  {
    name: "a leased job is hidden",
    async run({ put, take, lease }) {
      await put("{}");
      await take();
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a lease call gives no more than it was asked for",
    async run({ put, lease, collect }) {
      const ids = await put(...Array.from({ length: 30 }, () => job()));
      const some = await lease({ max: 4, waitMs: 20_000 });
      expect(some.length).toBeGreaterThan(0);
      expect(some.length).toBeLessThanOrEqual(4);
      const rest = await collect(30 - some.length);
      expect(sortedIds([...some, ...rest])).toEqual(ids.sort());
    },
  },
  {
    name: "a lease call that finds nothing ends when its time is over",
    async run({ lease }) {
      const started = performance.now();
      expect(await lease({ waitMs: 150 })).toEqual([]);
      expect(performance.now() - started).toBeLessThan(20_000);
    },
  },
  {
    name: "a waiting lease call gets a job that is put meanwhile",
    async run({ put, lease, timing }) {
      const waiting = lease({ waitMs: timing.deadlineMs });
      const [id] = await put("{}");
      expect((await waiting).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "a waiting lease call gets a message that a foreign producer puts meanwhile",
    needs: ["produce"],
    async run({ produce, lease, timing }) {
      const waiting = lease({ waitMs: timing.deadlineMs });
      await produce('{"n":1}');
      expect((await waiting).map((lease) => lease.job.body)).toEqual(['{"n":1}']);
    },
  },
  {
    name: "a waiting lease call gets a delayed job when it is due",
    needs: ["maxDelayMs"],
    async run({ put, lease, timing }) {
      const [id] = await put(job("{}", { delayMs: timing.delayMs }));
      expect((await lease({ waitMs: timing.deadlineMs })).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "a waiting lease call does not oversleep a due time nearer than the one it waits for",
    needs: ["maxDelayMs"],
    async run({ put, lease, timing }) {
      await put(job("{}", { delayMs: 120_000 }));
      const waiting = lease({ waitMs: timing.deadlineMs });
      const [id] = await put(job("{}", { delayMs: timing.delayMs }));
      expect((await waiting).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "a waiting lease call gets a job whose lease ends",
    async run({ put, take, lease, timing }) {
      const [id] = await put("{}");
      await take({ leaseMs: timing.leaseMs });
      expect((await lease({ waitMs: timing.deadlineMs })).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "a waiting lease call gets a job that is released",
    async run({ put, take, lease, settle, timing }) {
      const [id] = await put("{}");
      const held = await take();
      const waiting = lease({ waitMs: timing.deadlineMs });
      await settle({ verb: "release" }, held);
      expect((await waiting).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "every waiting lease call gets its share",
    async run({ put, lease, collect, timing }) {
      const waiting = Array.from({ length: 3 }, () => lease({ max: 1, waitMs: timing.deadlineMs }));
      const ids = await put("1", "2", "3", "4");
      const held = (await Promise.all(waiting)).flat();
      held.push(...(await collect(4 - held.length)));
      expect(sortedIds(held)).toEqual(ids.sort());
    },
  },
  {
    name: "a lease call returns at once when its signal aborts",
    async run({ lease, timing }) {
      const stop = new AbortController();
      const started = performance.now();
      const waiting = lease({ waitMs: 20_000, signal: stop.signal });
      setTimeout(() => stop.abort(), 20);
      expect(await waiting).toEqual([]);
      expect(performance.now() - started).toBeLessThan(timing.deadlineMs);
    },
  },
  {
    name: "a lease call whose signal is aborted already takes nothing",
    async run({ put, lease, take }) {
      const [id] = await put("{}");
      const stop = new AbortController();
      stop.abort();
      expect(await lease({ waitMs: 1_000, signal: stop.signal })).toEqual([]);
      const held = await take();
      expect([held.job.id, held.job.attempts]).toEqual([id!, 0]);
    },
  },
  {
    name: "a job that arrives while a lease call is aborted is not lost and not charged",
    needs: ["refundsAttempt"],
    async run({ put, lease, take, settle, timing }) {
      for (let round = 0; round < 25; round += 1) {
        const stop = new AbortController();
        const waiting = lease({ waitMs: timing.deadlineMs, signal: stop.signal });
        const writing = put(`${round}`);
        setTimeout(() => stop.abort(), round % 5);
        const [[id], early] = await Promise.all([writing, waiting]);
        const held = early[0] ?? (await take());
        expect([held.job.id, held.job.attempts]).toEqual([id!, 0]);
        await settle({ verb: "ack" }, held);
      }
    },
  },
  {
    name: "a lease that ends unsettled gives its job back with one attempt charged",
    async run({ put, take, timing }) {
      const [id] = await put('{"n":1}');
      const first = await take({ leaseMs: timing.leaseMs });
      const second = await take({ leaseMs: timing.leaseMs });
      const third = await take();
      expect([first, second, third].map(({ job }) => [job.id, job.body, job.attempts])).toEqual([
        [id!, '{"n":1}', 0],
        [id!, '{"n":1}', 1],
        [id!, '{"n":1}', 2],
      ]);
      expect(third.job.enqueuedAt).toBe(first.job.enqueuedAt);
      expect(new Set([first.token, second.token, third.token]).size).toBe(3);
    },
  },
  {
    name: "leases that end unsettled are reported",
    needs: ["fenced"],
    async run({ put, collect, events, timing }) {
      await put("1", "2", "3");
      await collect(3, { leaseMs: timing.leaseMs });
      await collect(3);
      expect(events.reclaimed).toBe(3);
    },
  },
  {
    name: "extend keeps a lease beyond its first end",
    async run({ driver, put, take, lease, trySettle, timing }) {
      await put("{}");
      const held = await take({ leaseMs: timing.leaseMs });
      const end = performance.now() + timing.leaseMs * 3;
      while (performance.now() < end) {
        expect(await driver.extend([held], timing.leaseMs * 2)).toEqual(["extended"]);
        expect(await lease({ waitMs: timing.leaseMs / 3 })).toEqual([]);
      }
      expect(await trySettle({ verb: "ack" }, held)).toBe("settled");
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "extend may shorten a lease: its end is counted from now",
    async run({ driver, put, take, timing }) {
      const [id] = await put("{}");
      const held = await take();
      expect(await driver.extend([held], timing.leaseMs)).toEqual(["extended"]);
      const back = await take();
      expect([back.job.id, back.job.attempts]).toEqual([id!, 1]);
    },
  },
  {
    name: "extend answers lease by lease, in order",
    async run({ driver, put, collect, settle }) {
      await put("1", "2", "3");
      const leases = await collect(3);
      await settle({ verb: "ack" }, leases[1]!);
      expect(await driver.extend(leases, 60_000)).toEqual(["extended", "lost", "extended"]);
      expect(await driver.extend([], 60_000)).toEqual([]);
    },
  },
  {
    name: "due delayed jobs come before those that wait in line",
    needs: ["maxDelayMs"],
    async run({ put, take, timing, driver, queue, until }) {
      const [late] = await put(job("late", { delayMs: timing.delayMs }));
      await until("the delay", async () => {
        const { delayed, ready } = await driver.stats(queue);
        return delayed === 0 || ready === 1;
      });
      await put("line");
      expect((await take()).job.id).toBe(late!);
    },
  },
  {
    name: "a paused queue yields nothing, and resume wakes who waits",
    async run({ driver, queue, put, lease, timing }) {
      await driver.pause(queue);
      expect((await driver.stats(queue)).paused).toBe(true);
      expect(pausesOf(driver)).toEqual([queue]);
      const [id] = await put("{}");
      expect(await lease({ waitMs: 100 })).toEqual([]);
      const waiting = lease({ waitMs: timing.deadlineMs });
      await driver.resume(queue);
      expect((await waiting).map((lease) => lease.job.id)).toEqual([id!]);
      expect((await driver.stats(queue)).paused).toBe(false);
      expect(pausesOf(driver)).toEqual([]);
    },
  },
  {
    name: "a pause that comes while a lease call waits holds for it too",
    async run({ driver, queue, put, lease, take }) {
      const waiting = lease({ waitMs: 400 });
      await driver.pause(queue);
      const [id] = await put("{}");
      expect(await waiting).toEqual([]);
      await driver.resume(queue);
      const held = await take();
      expect([held.job.id, held.job.attempts]).toEqual([id!, 0]);
    },
  },
  {
    name: "pausing one queue leaves the other alone",
    async run({ driver, otherQueue, put, take }) {
      await driver.pause(otherQueue);
      const [id] = await put("{}");
      expect((await take()).job.id).toBe(id!);
      await driver.resume(otherQueue);
    },
  },
  {
    name: "a paused queue is a problem until it is resumed",
    async run({ driver, queue, otherQueue }) {
      const paused = (): string[] =>
        (driver.problems?.() ?? []).filter(({ kind }) => kind === "queue_paused").map(({ object }) => object);
      expect(paused()).toEqual([]);
      await driver.pause(queue);
      await driver.pause(otherQueue);
      await driver.pause(queue);
      expect(paused().toSorted()).toEqual([queue, otherQueue].toSorted());
      await driver.resume(queue);
      expect(paused()).toEqual([otherQueue]);
      await driver.resume(otherQueue);
      expect(paused()).toEqual([]);
    },
  },
  {
    name: "a pause is a problem for the others too, who lease at that time",
    needs: ["peer", "clusterPause"],
    async run({ driver, queue, peer, until }) {
      const other = await peer();
      const paused = (): boolean =>
        other.problems?.().some(({ kind, object }) => kind === "queue_paused" && object === queue) === true;
      const stop = new AbortController();
      const leasing = (async () => {
        while (!stop.signal.aborted) {
          await other.lease(queue, {
            max: 1,
            leaseMs: 10_000,
            waitMs: 2_000,
            closedKeys: new Set(),
            parkedMax: 1,
            signal: stop.signal,
          });
        }
      })();
      await driver.pause(queue);
      await until("the peer to say that the queue is paused", paused);
      await driver.resume(queue);
      await until("the peer to say that it is not", () => !paused());
      stop.abort();
      await leasing;
    },
  },
  {
    name: "a pause is seen by the others",
    needs: ["peer", "clusterPause"],
    async run({ driver, queue, put, lease, take, peer, until }) {
      const other = await peer();
      await driver.pause(queue);
      await until("the peer to see the pause", async () => (await other.stats(queue)).paused);
      const [id] = await put("{}");
      expect(await lease({ waitMs: 100 }, other)).toEqual([]);
      await other.resume(queue);
      expect((await take({}, driver)).job.id).toBe(id!);
    },
  },
  {
    name: "stats count ready, delayed, leased, parked and dead",
    needs: ["exactStats", "maxDelayMs"],
    async run({ driver, queue, put, collect, settle }) {
      await put(...Array.from({ length: 10 }, () => job()), job("{}", { delayMs: 60_000 }));
      const leases = await collect(6);
      await settle({ verb: "park", key: "lane" }, leases[0]!, leases[1]!);
      await settle({ verb: "dead", reason: "r", detail: null, endpoint: null, attempted: true }, leases[2]!);
      await settle({ verb: "retry", delayMs: 60_000 }, leases[3]!);
      const { oldestReadyAgeMs, ...counts } = await driver.stats(queue);
      expect(counts).toEqual({ ready: 4, delayed: 2, leased: 2, parked: 2, dead: 1, paused: false });
      if (oldestReadyAgeMs !== null) expect(oldestReadyAgeMs).toBeWithin(0, 60_000);
    },
  },
  {
    name: "a ping is answered",
    async run({ driver }) {
      await driver.ping(new AbortController().signal);
    },
  },
];
