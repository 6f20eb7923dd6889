import { expect } from "bun:test";
import { PayloadTooLargeError, UnsupportedByDriverError } from "../../src/errors.ts";
import type { Claim } from "./conformance-bench.ts";
import { job, sortedBodies, sortedIds } from "./conformance-bench.ts";

/** Texts that a codec on the way might change. */
const texts: Readonly<Record<string, string>> = {
  "number spelling": '{"a":12345678901234567890,"b":1.0,"c":1e400,"d":-0,"a":2}',
  escapes: '{"a":"\\u00e9\\/\\ud83d\\ude00"}',
  unicode: "ünï©ode 😀 ﷽   \u{10FFFF}",
  whitespace: '  {\n\t"a" : 1 }\r\n ',
  "colons and braces": "{a}:{b}:]]]}\\n,,;'\"`$(x)",
  "200 KB": `{"data":"${"abcdefghij".repeat(20_000)}"}`,
};

export const enqueueClaims: readonly Claim[] = [
  {
    name: "a job comes back as it was put: id, bytes, no attempts",
    async run({ put, take, settle, lease }) {
      const [id] = await put('{"hello":"world"}');
      const lease1 = await take();
      expect(lease1.job.id).toBe(id!);
      expect(lease1.job.body).toBe('{"hello":"world"}');
      expect(lease1.job.attempts).toBe(0);
      await settle({ verb: "ack" }, lease1);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "text survives: number spelling, escapes, unicode, whitespace, 200 KB",
    async run({ put, collect }) {
      const ids = await put(...Object.values(texts));
      const leases = await collect(ids.length);
      const byId = new Map(leases.map((lease) => [lease.job.id, lease.job.body]));
      expect(ids.map((id) => byId.get(id))).toEqual(Object.values(texts));
    },
  },
  {
    name: "a NUL character survives",
    async run({ put, take }) {
      await put('{"a":"\u0000b"}\u0000');
      expect((await take()).job.body).toBe('{"a":"\u0000b"}\u0000');
    },
  },
  {
    name: "bytes that are not UTF-8 survive, as bytes",
    async run({ put, take, settle }) {
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => 255 - index);
      await put(bytes);
      const first = await take();
      expect(first.job.body).toBeInstanceOf(Uint8Array);
      expect([...(first.job.body as Uint8Array)]).toEqual([...bytes]);
      await settle({ verb: "retry", delayMs: 0 }, first);
      expect([...((await take()).job.body as Uint8Array)]).toEqual([...bytes]);
    },
  },
  {
    name: "jobs come in the order they were put",
    async run({ put, collect }) {
      const ids = [
        ...(await put(...Array.from({ length: 25 }, () => job()))),
        ...(await put(...Array.from({ length: 25 }, () => job()))),
      ];
      expect((await collect(50, { max: 7 })).map((lease) => lease.job.id)).toEqual(ids);
    },
  },
  {
    name: "a batch is answered job by job, in order",
    async run({ driver, queue, collect }) {
      const jobs = Array.from({ length: 137 }, (_, index) => job(`{"n":${index}}`));
      const results = await driver.enqueue(queue, jobs);
      expect(results).toEqual(jobs.map(({ id }) => ({ status: "enqueued", id })));
      const leases = await collect(137);
      expect(sortedIds(leases)).toEqual(sortedIds(results));
    },
  },
  {
    name: "an empty batch is answered with nothing",
    async run({ driver, queue }) {
      expect(await driver.enqueue(queue, [])).toEqual([]);
    },
  },
  {
    name: "two jobs of the same id without a dedup key are two jobs",
    needs: ["dedup"],
    async run({ put, collect }) {
      await put(job("1", { id: "same" }), job("2", { id: "same" }));
      const leases = await collect(2);
      expect(sortedBodies(leases)).toEqual(["1", "2"]);
      expect(new Set(leases.map((lease) => lease.token)).size).toBe(2);
    },
  },
  {
    name: "queues do not mix",
    async run({ driver, queue, otherQueue, put, take, lease }) {
      await put("mine");
      const theirs = job("theirs");
      await driver.enqueue(otherQueue, [theirs]);
      const mine = await take();
      expect(mine.job.body).toBe("mine");
      expect(mine.queue).toBe(queue);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a job knows when it was enqueued",
    async run({ put, take }) {
      const before = Date.now();
      await put("{}");
      const { enqueuedAt } = (await take()).job;
      if (enqueuedAt === null) return;
      expect(Math.abs(enqueuedAt - before)).toBeLessThan(5_000);
    },
  },
  {
    name: "a delayed job stays away until it is due",
    needs: ["maxDelayMs"],
    async run({ put, take, lease, timing }) {
      const started = performance.now();
      const [id] = await put(job("{}", { delayMs: timing.delayMs }));
      expect(await lease()).toEqual([]);
      expect((await take()).job.id).toBe(id!);
      // Timers and backends round; what counts is that it was not handed out at once.
      expect(performance.now() - started).toBeGreaterThan(timing.delayMs * 0.8);
    },
  },
  {
    name: "the same dedup key again is a duplicate and writes nothing",
    needs: ["dedup"],
    async run({ driver, queue, put, collect, lease }) {
      const dedup = { key: "key-1", fingerprint: "print-1" };
      const [id] = await put(job("1", { dedup }));
      const again = await driver.enqueue(queue, [job("1", { dedup }), job("2", { dedup: null })]);
      expect(again[0]).toEqual({ status: "duplicate", id: id! });
      expect(again[1]?.status).toBe("enqueued");
      expect(sortedBodies(await collect(2))).toEqual(["1", "2"]);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a dedup key twice in one batch is enqueued once",
    needs: ["dedup"],
    async run({ driver, queue, take, lease }) {
      const dedup = { key: "key-1", fingerprint: "print-1" };
      const first = job("1", { dedup });
      const results = await driver.enqueue(queue, [first, job("1", { dedup })]);
      expect(results).toEqual([
        { status: "enqueued", id: first.id },
        { status: "duplicate", id: first.id },
      ]);
      expect((await take()).job.id).toBe(first.id);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a dedup key with another fingerprint is a conflict and writes nothing",
    needs: ["dedup"],
    async run({ driver, queue, put, take, lease }) {
      await put(job("1", { dedup: { key: "key-1", fingerprint: "print-1" } }));
      const other = job("2", { dedup: { key: "key-1", fingerprint: "print-2" } });
      expect((await driver.enqueue(queue, [other])).map(({ status }) => status)).toEqual(["conflict"]);
      expect((await take()).job.body).toBe("1");
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a dedup key is remembered after its job is gone",
    needs: ["dedup"],
    async run({ driver, queue, put, take, settle }) {
      const dedup = { key: "key-1", fingerprint: "print-1" };
      await put(job("1", { dedup }));
      await settle({ verb: "ack" }, await take());
      expect((await driver.enqueue(queue, [job("1", { dedup })])).map(({ status }) => status)).toEqual([
        "duplicate",
      ]);
    },
  },
  {
    name: "a dedup key is forgotten after its time",
    needs: ["dedup"],
    create: { deduplicationTtlMs: 250 },
    async run({ driver, queue, put, until }) {
      const dedup = { key: "key-1", fingerprint: "print-1" };
      await put(job("1", { dedup }));
      const statuses = async () => (await driver.enqueue(queue, [job("1", { dedup })]))[0]?.status;
      expect(await statuses()).toBe("duplicate");
      await until("the key to be forgotten", async () => (await statuses()) === "enqueued");
    },
  },
  {
    name: "a dedup key of one queue says nothing about another",
    needs: ["dedup"],
    async run({ driver, otherQueue, put }) {
      const dedup = { key: "key-1", fingerprint: "print-1" };
      await put(job("1", { dedup }));
      const elsewhere = await driver.enqueue(otherQueue, [job("1", { dedup })]);
      expect(elsewhere.map(({ status }) => status)).toEqual(["enqueued"]);
    },
  },
  {
    name: "oversize is refused, never truncated, and its neighbours are written",
    needs: ["smallPayload"],
    async run({ driver, queue, collect, lease }) {
      // Two bytes a character: a driver that counts characters would let it pass.
      const large = "é".repeat(Math.floor(driver.capabilities.maxPayloadBytes / 2) + 1);
      const results = await driver.enqueue(queue, [job("before"), job(large), job("after")]);
      expect(results.map(({ status }) => status)).toEqual(["enqueued", "failed", "enqueued"]);
      const failed = results[1];
      expect(failed?.status === "failed" && failed.error).toBeInstanceOf(PayloadTooLargeError);
      expect(sortedBodies(await collect(2))).toEqual(["after", "before"]);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a group is refused, not ignored, and its neighbours are written",
    needs: ["noGroups"],
    async run({ driver, queue, take, lease }) {
      const results = await driver.enqueue(queue, [job("1", { group: "g" }), job("2")]);
      expect(results.map(({ status }) => status)).toEqual(["failed", "enqueued"]);
      const [failed] = results;
      expect(failed?.status === "failed" && failed.error).toBeInstanceOf(UnsupportedByDriverError);
      expect((await take()).job.body).toBe("2");
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a delay beyond the backend's longest is refused, not shortened",
    needs: ["boundedDelay"],
    async run({ driver, queue, lease }) {
      const delayMs = driver.capabilities.maxDelayMs + 1_000;
      const [failed] = await driver.enqueue(queue, [job("1", { delayMs })]);
      expect(failed?.status === "failed" && failed.error).toBeInstanceOf(UnsupportedByDriverError);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "a message of a foreign producer gets an id at first lease and keeps it",
    needs: ["produce"],
    async run({ produce, take, settle, timing }) {
      await produce('{"from":"elsewhere","n":12345678901234567890}');
      const first = await take({ leaseMs: timing.leaseMs });
      expect(first.job.id).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
      expect(first.job.body).toBe('{"from":"elsewhere","n":12345678901234567890}');
      const second = await take();
      expect(second.job.id).toBe(first.job.id);
      expect(second.job.attempts).toBe(1);
      await settle({ verb: "retry", delayMs: 0 }, second);
      const third = await take();
      expect([third.job.id, third.job.attempts, third.job.body]).toEqual([
        first.job.id,
        2,
        '{"from":"elsewhere","n":12345678901234567890}',
      ]);
    },
  },
];
