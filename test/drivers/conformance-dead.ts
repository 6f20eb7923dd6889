import { expect } from "bun:test";
import type { DeadLetterFilter } from "../../src/queue/dead-filter.ts";
import type { DeadLetter, DeadLetterPage } from "../../src/queue/driver.ts";
import type { Bench, Claim } from "./conformance-bench.ts";
import { deadly, job, sortedIds } from "./conformance-bench.ts";

/** Puts `count` jobs and makes dead letters of them, in order; returns the ids. */
async function bury({ put, collect, settle }: Bench, count: number): Promise<string[]> {
  const ids = await put(...Array.from({ length: count }, (_, index) => job(`{"n":${index}}`)));
  await settle(deadly(), ...(await collect(count)));
  return ids;
}

export const deadLetterClaims: readonly Claim[] = [
  {
    name: "a dead letter tells reason, detail, endpoint, attempts, times and body",
    async run({ put, take, settle, dead, lease }) {
      const [id] = await put('{"n":12345678901234567890,"t":"é"}');
      await settle({ verb: "retry", delayMs: 0 }, await take());
      const held = await take();
      await settle(
        {
          verb: "dead",
          reason: "http_410",
          detail: "the receiver answered 410 – gone",
          endpoint: "app-1/one",
          attempted: true,
        },
        held,
      );
      expect(await lease()).toEqual([]);
      const letters = await dead();
      expect(letters).toHaveLength(1);
      const [letter] = letters;
      expect(letter).toMatchObject({
        jobId: id!,
        reason: "http_410",
        detail: "the receiver answered 410 – gone",
        endpoint: "app-1/one",
        attempts: 2,
        enqueuedAt: held.job.enqueuedAt,
        body: '{"n":12345678901234567890,"t":"é"}',
      });
      expect(Math.abs(letter!.failedAt - Date.now())).toBeLessThan(10_000);
    },
  },
  {
    name: "a job that was never attempted is not charged when it dies",
    async run({ put, take, settle, dead }) {
      await put("{}");
      await settle(
        { verb: "dead", reason: "unknown_app", detail: null, endpoint: null, attempted: false },
        await take(),
      );
      expect((await dead())[0]).toMatchObject({
        reason: "unknown_app",
        detail: null,
        endpoint: null,
        attempts: 0,
      });
    },
  },
  {
    name: "a dead letter keeps the body it was given",
    async run({ put, take, settle, dead }) {
      await put('{"app_secret":"s"}');
      await settle(deadly("malformed", { body: "masked" }), await take());
      expect((await dead())[0]?.body).toBe("masked");
    },
  },
  {
    name: "a dead letter keeps bytes that are not UTF-8",
    async run({ put, take, settle, dead }) {
      const bytes = Uint8Array.of(0xff, 0xfe, 0, 1);
      await put(bytes);
      await settle(deadly(), await take());
      expect([...((await dead())[0]!.body as Uint8Array)]).toEqual([...bytes]);
    },
  },
  {
    name: "a queue without dead letters has one empty page",
    async run({ driver, queue }) {
      expect(await driver.deadLetters(queue, { limit: 10, cursor: null })).toMatchObject({
        items: [],
        cursor: null,
      });
    },
  },
  {
    name: "pages cover every dead letter once, the newest first",
    needs: ["listsDeadLetters"],
    async run(bench) {
      const ids = await bury(bench, 25);
      const page = await bench.driver.deadLetters(bench.queue, { limit: 10, cursor: null });
      expect(page.items).toHaveLength(10);
      expect(page.complete).toBe(true);
      const all = await bench.dead(10);
      expect(sortedIds(all)).toEqual([...ids].sort());
      const times = all.map(({ failedAt }) => failedAt);
      expect(times).toEqual(times.toSorted((a, b) => b - a));
    },
  },
  {
    // Finding: 300 dead letters of 1 MB were one page, and took 1.7 GB of memory.
    name: "a page ends at its bytes, holds one letter at least, and its cursor goes on",
    async run(bench) {
      const { driver, queue, collect, settle } = bench;
      const ids = await bench.put(
        ...Array.from({ length: 9 }, (_, index) => job(`{"n":"${"é".repeat(index === 8 ? 9_000 : 900)}"}`)),
      );
      await settle(deadly(), ...(await collect(9)));
      const seen: DeadLetter[] = [];
      let cursor: string | null = null;
      do {
        const page: DeadLetterPage = await driver.deadLetters(queue, { limit: 10, cursor, maxBytes: 6_000 });
        const bytes = page.items.reduce((sum, { body }) => sum + Buffer.byteLength(body as string), 0);
        expect(bytes <= 6_000 || page.items.length === 1).toBe(true);
        seen.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== null);
      expect(seen).not.toEqual([]);
      if (driver.capabilities.listsDeadLetters) expect(sortedIds(seen)).toEqual(ids.toSorted());
    },
  },
  {
    name: "pages neither repeat nor lose letters when others come and go between them",
    needs: ["listsDeadLetters"],
    async run(bench) {
      const ids = await bury(bench, 20);
      const first = await bench.driver.deadLetters(bench.queue, { limit: 8, cursor: null });
      await bury(bench, 3);
      expect(await bench.driver.removeDead(bench.queue, first.items[7]!.id)).toBe(true);
      const seen = first.items.map(({ id }) => id);
      for (let { cursor } = first; cursor !== null;) {
        const page = await bench.driver.deadLetters(bench.queue, { limit: 8, cursor });
        seen.push(...page.items.map(({ id }) => id));
        cursor = page.cursor;
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.toSorted().filter((id) => ids.includes(id))).toEqual(ids.toSorted());
    },
  },
  {
    // Finding: an unreadable cursor was answered with an empty page, as if there were no dead letters.
    name: "a cursor that no page gave is refused",
    needs: ["listsDeadLetters"],
    async run(bench) {
      await bury(bench, 1);
      for (const cursor of ["nonsense", "-1", "1.5", "1e3", " ", ""]) {
        const asked = bench.driver.deadLetters(bench.queue, { limit: 10, cursor });
        await expect(asked).rejects.toMatchObject({ code: "bad_cursor" });
      }
    },
  },
  {
    name: "a filter picks letters by endpoint, reason, job and time",
    async run({ driver, queue, put, collect, settle, until, dead }) {
      await put(...["plain", "plain_0a1b2c3d", "plainer"].map((id) => job(`{"id":"${id}"}`, { id })));
      const held = await collect(3);
      const of = (id: string) => held.filter(({ job: { id: jobId } }) => jobId === id);
      await settle({ ...deadly("http_404"), endpoint: 'app-1/ö"ne' }, ...of("plain"));
      await settle({ ...deadly("http_410"), endpoint: "app-1/two" }, ...of("plain_0a1b2c3d"));
      await settle({ ...deadly("unknown_app"), endpoint: null }, ...of("plainer"));
      const later = Math.max(...(await dead()).map(({ failedAt }) => failedAt));
      await until("the clock to move on", () => Date.now() > later + 5);
      await put(job("4", { id: "later" }));
      await settle({ ...deadly("http_410"), endpoint: "app-2/two" }, ...(await collect(1)));
      const pick = async (filter: DeadLetterFilter): Promise<string[]> => {
        const page = await driver.deadLetters(queue, { limit: 10, cursor: null, filter });
        expect(page.cursor).toBe(null);
        expect(page.looked).toBeGreaterThanOrEqual(page.items.length);
        return page.items.map(({ jobId }) => jobId).sort();
      };
      expect(await pick({ endpoint: 'app-1/ö"ne' })).toEqual(["plain"]);
      expect(await pick({ endpoint: "app-1" })).toEqual([]);
      // Whose it is stands in the job alone.
      expect(await pick({ endpointPrefix: "app-1/" })).toEqual(["plain", "plain_0a1b2c3d", "plainer"]);
      expect(await pick({ endpointPrefix: "app-1/", endpoint: "app-1/two" })).toEqual(["plain_0a1b2c3d"]);
      expect(await pick({ reason: "http_410" })).toEqual(["later", "plain_0a1b2c3d"]);
      expect(await pick({ jobId: "plain" })).toEqual(["plain", "plain_0a1b2c3d"]);
      expect(await pick({ jobId: "plain_0a1b2c3d" })).toEqual(["plain_0a1b2c3d"]);
      expect(await pick({ since: later + 1 })).toEqual(["later"]);
      expect(await pick({ until: later })).toEqual(["plain", "plain_0a1b2c3d", "plainer"]);
      expect(await pick({ until: later, reason: "http_410" })).toEqual(["plain_0a1b2c3d"]);
    },
  },
  {
    name: "pages of a filter cover every letter that fits once, from either end, and may leave bodies out",
    needs: ["listsDeadLetters"],
    async run(bench) {
      const { driver, queue, collect, settle, put } = bench;
      const ids = await put(...Array.from({ length: 30 }, (_, n) => job(`{"n":${n}}`)));
      for (const [at, held] of (await collect(30)).entries()) {
        await settle(deadly(at % 3 === 0 ? "http_404" : "http_410"), held);
      }
      const wanted = (await bench.dead()).filter(({ reason }) => reason === "http_404").map(({ id }) => id);
      expect(wanted).toHaveLength(10);
      for (const oldestFirst of [false, true]) {
        const seen: string[] = [];
        let cursor: string | null = null;
        let looked = 0;
        do {
          const filter = { reason: "http_404" };
          const page: DeadLetterPage = await driver.deadLetters(queue, {
            limit: 3,
            cursor,
            filter,
            oldestFirst,
            bodies: false,
          });
          looked += page.looked;
          expect(page.cursors).toHaveLength(page.items.length);
          expect(page.items.every(({ reason }) => reason === "http_404")).toBe(true);
          const half: DeadLetterPage = await driver.deadLetters(queue, {
            limit: 1,
            cursor: page.cursors[0] ?? cursor,
            filter,
            oldestFirst,
          });
          if (page.items.length > 1) expect(half.items[0]?.id).toBe(page.items[1]!.id);
          seen.push(...page.items.map(({ id }) => id));
          cursor = page.cursor;
        } while (cursor !== null);
        expect(seen).toEqual(oldestFirst ? wanted.toReversed() : wanted);
        expect(looked).toBe(ids.length);
      }
      // What dies meanwhile is left out.
      const newest = await driver.deadLetters(queue, { limit: 1, cursor: null });
      await bury(bench, 2);
      const asked = { limit: 20, oldestFirst: true, upTo: newest.cursors[0]! };
      const first = await driver.deadLetters(queue, { ...asked, cursor: null });
      const rest = await driver.deadLetters(queue, { ...asked, cursor: first.cursor });
      expect([first.items.length, rest.items.length, rest.cursor]).toEqual([20, 10, null]);
    },
  },
  {
    name: "redrive by id: ready again, attempts 0, id and bytes kept",
    async run(bench) {
      const { driver, queue, put, take, settle, dead, lease } = bench;
      const [id] = await put('{"n":1}');
      await settle({ verb: "retry", delayMs: 0 }, await take());
      await settle(deadly(), await take());
      await bury(bench, 2);
      const letter = (await dead()).find(({ jobId }) => jobId === id);
      expect(await driver.redrive(queue, { ids: [letter!.id] })).toBe(1);
      const back = await take();
      expect([back.job.id, back.job.body, back.job.attempts]).toEqual([id!, '{"n":1}', 0]);
      expect(await lease()).toEqual([]);
      expect(await dead()).toHaveLength(2);
    },
  },
  {
    name: "redrive may put another job in a letter's place, in one step",
    async run({ driver, queue, put, take, collect, settle, dead, lease }) {
      const [id] = await put(job('{"for":"one"}', { id: "job-1_0a1b2c3d" }));
      await settle({ verb: "retry", delayMs: 0 }, await take());
      await settle(deadly(), await take());
      await bury({ put, collect, settle } as Bench, 1);
      const letter = (await dead()).find(({ jobId }) => jobId === id);
      const rewritten = new Map([
        [letter!.id, { id: "job-1_ffffffff", body: '{"for":"another, é"}', endpoint: "app-1/two" }],
      ]);
      expect(await driver.redrive(queue, { ids: [letter!.id], rewritten })).toBe(1);
      const back = await take();
      expect([back.job.id, back.job.body, back.job.attempts]).toEqual([
        "job-1_ffffffff",
        '{"for":"another, é"}',
        0,
      ]);
      expect(await lease()).toEqual([]);
      expect(await dead()).toHaveLength(1);
      await settle({ verb: "retry", delayMs: 0 }, back);
      const again = await take();
      expect([again.job.id, again.job.body]).toEqual(["job-1_ffffffff", '{"for":"another, é"}']);
      await settle(deadly(), again);
      expect((await dead()).map(({ jobId }) => jobId)).toContain("job-1_ffffffff");
    },
  },
  {
    name: "many dead letters are removed at once, and those that are not there do not count",
    needs: ["listsDeadLetters"],
    async run(bench) {
      const ids = await bury(bench, 450);
      const removed = await bench.driver.removeManyDead!(bench.queue, [
        ...ids.slice(0, 440),
        "nobody",
        ids[0]!,
      ]);
      expect(removed).toBe(440);
      expect((await bench.dead()).map(({ jobId }) => jobId).sort()).toEqual(ids.slice(440).sort());
      expect(await bench.driver.removeManyDead!(bench.queue, ids)).toBe(10);
      expect((await bench.driver.stats(bench.queue)).dead).toBe(0);
      if (bench.driver.deadCounts !== undefined) {
        expect(await bench.driver.deadCounts(bench.queue)).toMatchObject({ groups: [] });
      }
    },
  },
  {
    name: "a redriven job begins anew: its age counts from the redrive",
    async run(bench) {
      const { driver, queue, put, take, settle, dead } = bench;
      await put("{}");
      const first = await take();
      if (first.job.enqueuedAt === null) return;
      await settle(deadly(), first);
      const [letter] = await dead();
      await bench.until("the clock to move on", () => Date.now() > letter!.failedAt + 20);
      expect(await driver.redrive(queue, { max: 1 })).toBe(1);
      expect((await take()).job.enqueuedAt).toBeGreaterThan(first.job.enqueuedAt);
    },
  },
  {
    name: "redrive of an id that is not there moves nothing",
    needs: ["listsDeadLetters"],
    async run(bench) {
      await bury(bench, 1);
      expect(await bench.driver.redrive(bench.queue, { ids: ["nothing-of-that-name"] })).toBe(0);
      expect(await bench.dead()).toHaveLength(1);
      expect(await bench.lease()).toEqual([]);
    },
  },
  {
    name: "redrive by number moves so many, and all when there are fewer",
    async run(bench) {
      const { driver, queue, collect, dead, lease } = bench;
      const ids = await bury(bench, 12);
      expect(await driver.redrive(queue, { max: 5 })).toBe(5);
      const first = await collect(5);
      expect(await lease()).toEqual([]);
      expect(await driver.redrive(queue, { max: 1_000 })).toBe(7);
      const rest = await collect(7);
      expect(sortedIds([...first, ...rest])).toEqual(ids.sort());
      expect(await dead()).toEqual([]);
    },
  },
  {
    name: "redrive wakes who waits",
    async run(bench) {
      const [id] = await bury(bench, 1);
      const waiting = bench.lease({ waitMs: bench.timing.deadlineMs });
      expect(await bench.driver.redrive(bench.queue, { max: 1 })).toBe(1);
      expect((await waiting).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "a dead letter that is removed is gone, once",
    async run(bench) {
      const { driver, queue, dead, lease } = bench;
      const ids = await bury(bench, 3);
      const letters = await dead();
      const target = letters.find(({ jobId }) => jobId === ids[1]);
      expect(await driver.removeDead(queue, target!.id)).toBe(true);
      expect(await driver.removeDead(queue, target!.id)).toBe(false);
      expect((await dead()).map(({ jobId }) => jobId).sort()).toEqual([ids[0]!, ids[2]!].sort());
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "dead letters of equal job ids are told apart by a number",
    needs: ["listsDeadLetters"],
    async run({ driver, queue, put, collect, settle, dead, take, lease }) {
      await put(job("1", { id: "same" }), job("2", { id: "same" }), job("3", { id: "same" }));
      for (const held of await collect(3)) await settle(deadly(), held);
      const letters = await dead();
      expect(sortedIds(letters)).toEqual(["same", "same.2", "same.3"]);
      expect(letters.map(({ jobId }) => jobId)).toEqual(["same", "same", "same"]);
      const second = letters.find(({ id }) => id === "same.2");
      expect(await driver.redrive(queue, { ids: ["same.2"] })).toBe(1);
      const back = await take();
      expect([back.job.id, back.job.body]).toEqual(["same", second!.body]);
      expect(await lease()).toEqual([]);
      await settle(deadly(), back);
      expect(sortedIds(await dead())).toEqual(["same", "same.2", "same.3"]);
    },
  },
  {
    // Finding: a job pushed with an id of its own was dead-lettered under the record's, and not found under its own.
    name: "a job that is kept under the id it was found to have keeps that id",
    needs: ["listsDeadLetters"],
    async run({ driver, queue, put, take, collect, settle, dead, lease }) {
      await put(job("1"), job("2"), job("3"));
      for (const held of await collect(3)) {
        const kept = { body: `kept ${String(held.job.body)}`, id: "JOB-77" };
        if (held.job.body === "1") await settle({ verb: "retry", delayMs: 0, ...kept }, held);
        if (held.job.body === "2") await settle({ verb: "park", key: "k", ...kept }, held);
        if (held.job.body === "3") await settle(deadly("http_410", kept), held);
      }
      for (const held of await collect(2)) {
        expect([held.job.id, String(held.job.body)]).toEqual([
          "JOB-77",
          expect.stringMatching(/^kept [12]$/),
        ]);
        await settle({ verb: "release" }, held);
        const again = await take();
        expect(again.job.id).toBe("JOB-77");
        await settle(deadly(), again);
      }
      const letters = await dead();
      expect(sortedIds(letters)).toEqual(["JOB-77", "JOB-77.2", "JOB-77.3"]);
      expect(letters.map(({ jobId }) => jobId)).toEqual(["JOB-77", "JOB-77", "JOB-77"]);
      expect(await driver.redrive(queue, { ids: ["JOB-77"] })).toBe(1);
      const back = await take();
      expect([back.job.id, back.job.body]).toEqual(["JOB-77", "kept 3"]);
      await settle({ verb: "ack" }, back);
      expect(await driver.removeDead(queue, "JOB-77.2")).toBe(true);
      expect(sortedIds(await dead())).toEqual(["JOB-77.3"]);
      expect(await lease()).toEqual([]);
    },
  },
  {
    name: "retention keeps the newest dead letters and counts what it removes",
    needs: ["listsDeadLetters"],
    create: { deadLetterRetention: 5 },
    async run(bench) {
      const old = await bury(bench, 4);
      const recent = await bury(bench, 4);
      const kept = (await bench.dead()).map(({ jobId }) => jobId);
      expect(kept).toHaveLength(5);
      expect(kept).toContainValues(recent);
      expect(kept.filter((id) => old.includes(id))).toHaveLength(1);
      expect(bench.events.trimmed).toBe(3);
    },
  },
  {
    name: "dead letters are counted by endpoint and reason as they come and go",
    needs: ["deadCounts", "listsDeadLetters"],
    async run({ driver, queue, put, collect, settle, dead }) {
      const counts = async () => {
        const told = await driver.deadCounts?.(queue);
        if (told === null || told === undefined) throw new Error("the driver tells no counts");
        expect(told.complete).toBe(true);
        const texts = told.groups.map(({ endpoint, reason, count }) => `${endpoint} ${reason} ${count}`);
        return { texts: texts.sort(), bytes: told.bytes };
      };
      expect(await counts()).toEqual({ texts: [], bytes: 0 });
      const bodies = Array.from({ length: 6 }, (_, n) => `{"n":${n},"x":"${"x".repeat(1_000)}"}`);
      await put(...bodies);
      const [one, two, three, ...rest] = await collect(6);
      const unrouted = { reason: "unknown_app", detail: null, endpoint: null, attempted: false } as const;
      await settle({ verb: "dead", ...unrouted }, one!);
      await settle({ ...deadly("http_404"), endpoint: "app-1/two" }, two!);
      await settle(deadly("http_404"), three!);
      await settle(deadly(), ...rest);
      const full = await counts();
      expect(full.texts).toEqual([
        "app-1/one http_404 1",
        "app-1/one http_410 3",
        "app-1/two http_404 1",
        "null unknown_app 1",
      ]);
      expect(full.bytes).toBeGreaterThanOrEqual(6_000);
      expect(full.bytes).toBeLessThan(12_000);
      const letters = await dead();
      const idOf = (reason: string, endpoint: string | null): string =>
        letters.find((letter) => letter.reason === reason && letter.endpoint === endpoint)!.id;
      expect(await driver.removeDead(queue, idOf("unknown_app", null))).toBe(true);
      expect(await driver.redrive(queue, { ids: [idOf("http_404", "app-1/two")] })).toBe(1);
      expect(await driver.redrive(queue, { ids: [idOf("http_410", "app-1/one")] })).toBe(1);
      expect((await counts()).texts).toEqual(["app-1/one http_404 1", "app-1/one http_410 2"]);
      await driver.redrive(queue, { max: 10 });
      expect(await counts()).toEqual({ texts: [], bytes: 0 });
    },
  },
  {
    name: "what retention removes leaves the counts as well",
    needs: ["deadCounts", "listsDeadLetters"],
    create: { deadLetterRetention: 3 },
    async run(bench) {
      await bury(bench, 8);
      const { groups } = (await bench.driver.deadCounts!(bench.queue))!;
      expect(groups).toEqual([{ endpoint: "app-1/one", reason: "http_410", count: 3 }]);
      expect(bench.events.trimmed).toBe(5);
    },
  },
  {
    name: "dead letters older than their time are removed and counted",
    needs: ["deadLetterAge", "listsDeadLetters"],
    create: { deadLetterRetentionMs: 300 },
    async run(bench) {
      await bury(bench, 3);
      // Another letter, or a look, is what makes a driver see to it: a queue at rest costs nothing.
      await bench.until("the old ones to be gone", async () => (await bench.dead()).length === 0);
      expect(bench.events.trimmed).toBe(3);
      expect((await bench.driver.stats(bench.queue)).dead).toBe(0);
    },
  },
];
