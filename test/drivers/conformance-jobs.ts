import { expect } from "bun:test";
import { Buffer } from "node:buffer";
import type { ListedJob, ListedState, RefOutcome } from "../../src/queue/job-lists.ts";
import type { JobLists } from "../../src/queue/job-lists.ts";
import type { Bench, Claim } from "./conformance-bench.ts";
import { deadly, job } from "./conformance-bench.ts";

const lane = "app-1/one";
const closed = { closedKeys: new Set([lane]) };
const noCursor = { cursor: null, maxBytes: 4_000_000 } as const;

function listsOf({ driver }: Pick<Bench, "driver">): JobLists {
  if (driver.jobs === undefined) throw new Error("this driver lists no jobs: name `jobs` in skips");
  return driver.jobs;
}

/** Every job of a state, through as many pages as it takes. */
async function listAll(bench: Bench, state: ListedState, limit = 100): Promise<ListedJob[]> {
  const items: ListedJob[] = [];
  let cursor: string | null = null;
  do {
    const page = await listsOf(bench).page(bench.queue, { ...noCursor, state, limit, cursor });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    ({ cursor } = page);
  } while (cursor !== null);
  return items;
}

const ids = (jobs: readonly ListedJob[]): (string | null)[] => jobs.map(({ id }) => id);
const statuses = (outcomes: readonly RefOutcome[]): string[] => outcomes.map(({ status }) => status);

/** The ref of the only job of a state. */
async function onlyRef(bench: Bench, state: ListedState): Promise<string> {
  const [only, ...others] = await listAll(bench, state);
  expect(others).toEqual([]);
  return only!.ref;
}

export const jobListClaims: readonly Claim[] = [
  {
    name: "ready jobs are listed in the order in which they will be leased, and stay",
    needs: ["jobs"],
    async run(bench) {
      const put = await bench.put(...Array.from({ length: 7 }, (_, n) => job(`{"n":${n}}`)));
      const listed = await listAll(bench, "ready", 3);
      expect(ids(listed)).toEqual(put);
      expect(listed.map(({ body }) => body)).toEqual(put.map((_, n) => `{"n":${n}}`));
      for (const one of listed) {
        expect(one).toMatchObject({ state: "ready", attempts: 0, until: null, key: null });
        expect(Math.abs(one.enqueuedAt! - Date.now())).toBeLessThan(60_000);
      }
      expect(new Set(listed.map(({ ref }) => ref)).size).toBe(7);
      for (const { ref } of listed) expect(ref).toMatch(/^[!-~]{1,1000}$/);
      expect((await bench.collect(7)).map((lease) => lease.job.id)).toEqual(put);
    },
  },
  {
    name: "each state lists its own: delayed by due time, leased by the lease's end, parked by key",
    needs: ["jobs"],
    async run(bench) {
      const { put, take, settle } = bench;
      const [late, early] = await put(job("late", { delayMs: 900_000 }), job("early", { delayMs: 300_000 }));
      const [parked] = await put("parked");
      await settle({ verb: "park", key: lane }, await take());
      const [retried] = await put("retried");
      await settle({ verb: "retry", delayMs: 600_000, endpoint: lane }, await take(closed));
      const [leased] = await put("leased");
      await take({ ...closed, leaseMs: 60_000 });
      const [ready] = await put("ready");
      expect(ids(await listAll(bench, "ready"))).toEqual([ready!]);
      const delayed = await listAll(bench, "delayed", 1);
      expect(ids(delayed)).toEqual([early!, retried!, late!]);
      expect(delayed.map(({ attempts }) => attempts)).toEqual([0, 1, 0]);
      for (const [index, minutes] of [5, 10, 15].entries()) {
        expect(Math.abs(delayed[index]!.until! - Date.now() - minutes * 60_000)).toBeLessThan(60_000);
      }
      const [held] = await listAll(bench, "leased");
      expect(held).toMatchObject({ id: leased!, state: "leased", key: null });
      expect(Math.abs(held!.until! - Date.now() - 60_000)).toBeLessThan(60_000);
      expect(await listAll(bench, "parked")).toMatchObject([
        { id: parked!, state: "parked", key: lane, until: null },
      ]);
    },
  },
  {
    name: "parked jobs are listed key by key, or of one key alone",
    needs: ["jobs"],
    async run(bench) {
      await bench.put(...Array.from({ length: 9 }, (_, n) => job(["b", "a", "ü c"][n % 3])));
      const held = await bench.collect(9);
      for (const lease of held) await bench.settle({ verb: "park", key: String(lease.job.body) }, lease);
      const listed = await listAll(bench, "parked", 2);
      expect(listed.map(({ key }) => key)).toEqual(["a", "a", "a", "b", "b", "b", "ü c", "ü c", "ü c"]);
      const own = await listsOf(bench).page(bench.queue, {
        ...noCursor,
        state: "parked",
        limit: 9,
        key: "ü c",
      });
      expect(own.items.map(({ ref }) => ref)).toEqual(listed.slice(6).map(({ ref }) => ref));
      expect(own.cursor).toBeNull();
    },
  },
  {
    name: "a page goes on where the last one ended, whatever is leased, cancelled and put meanwhile",
    needs: ["jobs"],
    async run(bench) {
      const lists = listsOf(bench);
      const put = await bench.put(...Array.from({ length: 60 }, (_, n) => job(`{"n":${n}}`)));
      await bench.collect(4);
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await lists.page(bench.queue, { ...noCursor, state: "ready", limit: 10, cursor });
        seen.push(...ids(page.items).map(String));
        // The first of all are leased, the last of the page is cancelled.
        await bench.lease({ max: 4 });
        const last = page.items.at(-1);
        if (last !== undefined) await lists.cancel(bench.queue, [last.ref]);
        if (seen.length < 70) await bench.put(job("later"), job("later"));
        ({ cursor } = page);
      } while (cursor !== null && seen.length < 500);
      const first = seen.filter((id) => put.includes(id));
      expect(first).toEqual(put.slice(4));
      expect(new Set(seen).size).toBe(seen.length);
    },
  },
  {
    name: "a page ends before its bytes are too many, and a job that is larger has one of its own",
    needs: ["jobs"],
    async run(bench) {
      await bench.put("a".repeat(400), "b".repeat(400), "c".repeat(3_000), "d".repeat(400));
      const lists = listsOf(bench);
      const sizes: number[] = [];
      let cursor: string | null = null;
      do {
        const page = await lists.page(bench.queue, { state: "ready", limit: 100, cursor, maxBytes: 1_200 });
        sizes.push(page.items.length);
        ({ cursor } = page);
      } while (cursor !== null);
      expect(sizes).toEqual([2, 1, 1]);
    },
  },
  {
    name: "a page takes what its judge takes, and ends where that says so",
    needs: ["jobs"],
    async run(bench) {
      const put = await bench.put(...Array.from({ length: 30 }, (_, n) => job(String(n))));
      const lists = listsOf(bench);
      const request = { ...noCursor, state: "ready", limit: 4 } as const;
      const judge = (one: ListedJob) => (Number(one.body) % 5 === 0 ? ("take" as const) : ("pass" as const));
      const first = await lists.page(bench.queue, { ...request, judge });
      expect(ids(first.items)).toEqual([put[0]!, put[5]!, put[10]!, put[15]!]);
      const second = await lists.page(bench.queue, { ...request, judge, cursor: first.cursor });
      expect(ids(second.items)).toEqual([put[20]!, put[25]!]);
      expect(second.cursor).toBeNull();
      const cut = await lists.page(bench.queue, {
        ...request,
        judge: (one) => (one.body === "2" ? "full" : "take"),
      });
      expect(ids(cut.items)).toEqual(put.slice(0, 2));
      const rest = await lists.page(bench.queue, { ...request, cursor: cut.cursor });
      expect(ids(rest.items)).toEqual(put.slice(2, 6));
    },
  },
  {
    name: "a cursor that no page gave is refused",
    needs: ["jobs"],
    async run(bench) {
      await bench.put(...Array.from({ length: 3 }, () => job()));
      const lists = listsOf(bench);
      const { cursor } = await lists.page(bench.queue, { ...noCursor, state: "ready", limit: 1 });
      for (const [state, wrong] of [
        ["ready", "nothing"],
        ["ready", "~~~~"],
        ["parked", cursor!],
        ["delayed", cursor!],
      ] as const) {
        const asked = lists.page(bench.queue, { ...noCursor, state, limit: 1, cursor: wrong });
        expect(await asked.then(String, (error: { code?: string }) => error.code)).toBe("bad_cursor");
      }
    },
  },
  {
    name: "a job is found by its id in every state, and its deliveries with it",
    needs: ["jobs"],
    async run(bench) {
      const { put, take, settle } = bench;
      await put(job("{}", { id: "other" }), job("{}", { id: "order-1" }));
      await put(job("{}", { id: "order-17", delayMs: 600_000 }));
      const child = { id: "order-17_0f3a9c21", body: "{}", endpoint: lane };
      await settle({ verb: "replace", jobs: [child] }, await take());
      await settle({ verb: "park", key: lane }, await take());
      const find = (...wanted: string[]) => listsOf(bench).find(bench.queue, wanted);
      const found = await find("order-17");
      expect(found.complete).toBe(true);
      expect(new Set(found.jobs.map(({ id, state, key }) => [id, state, key].join(" ")))).toEqual(
        new Set(["order-17 delayed ", `order-17_0f3a9c21 parked ${lane}`]),
      );
      const held = await take(closed);
      expect(held.job.id).toBe("order-1");
      expect(await find("order-1", "nobody")).toMatchObject({
        jobs: [{ id: "order-1", state: "leased" }],
        complete: true,
      });
      await settle({ verb: "release" }, held);
      expect(ids((await find("order-1")).jobs)).toEqual(["order-1"]);
      expect(await find("order")).toEqual({ jobs: [], complete: true });
    },
  },
  {
    name: "dead letters are found by their ids, doubles with them",
    needs: ["findDead"],
    async run({ driver, queue, put, take, settle }) {
      for (const body of ["first", "second"]) {
        await put(job(body, { id: "twice" }));
        await settle(deadly(), await take());
      }
      await put(job("{}", { id: "alone" }));
      await settle(deadly("http_404"), await take());
      const found = (await driver.findDead?.(queue, ["twice", "alone", "nobody"])) ?? [];
      expect(found.map(({ id, jobId, body, reason }) => [id, jobId, String(body), reason])).toEqual([
        ["twice", "twice", "first", "http_410"],
        ["twice.2", "twice", "second", "http_410"],
        ["alone", "alone", "{}", "http_404"],
      ]);
    },
  },
  {
    name: "run makes delayed and parked jobs ready, once, with bytes, id and attempts",
    needs: ["jobs"],
    async run(bench) {
      const { put, take, settle, lease, driver, queue } = bench;
      const [delayed] = await put(job("delayed", { delayMs: 600_000 }));
      const [parked] = await put("parked");
      await settle({ verb: "retry", delayMs: 0 }, await take());
      await settle({ verb: "park", key: lane }, await take());
      const [retried] = await put("retried");
      await settle({ verb: "retry", delayMs: 600_000 }, await take(closed));
      expect(await lease(closed)).toEqual([]);
      const listed = [...(await listAll(bench, "delayed")), ...(await listAll(bench, "parked"))];
      const refs = listed.map(({ ref }) => ref);
      const done = await driver.jobs!.run(queue, refs);
      expect(statuses(done)).toEqual(["done", "done", "done"]);
      const leases = await bench.collect(3, closed);
      const told = leases.map(({ job: one }) => [one.id, one.body, one.attempts].join(" "));
      expect(told.sort()).toEqual(
        [`${delayed} delayed 0`, `${parked} parked 1`, `${retried} retried 1`].sort(),
      );
      expect(statuses(await driver.jobs!.run(queue, refs))).toEqual(["leased", "leased", "leased"]);
      await settle({ verb: "ack" }, ...leases);
      expect(statuses(await driver.jobs!.run(queue, refs))).toEqual(refs.map(() => "not_found"));
      expect(await driver.stats(queue)).toMatchObject({ ready: 0, delayed: 0, parked: 0, leased: 0 });
    },
  },
  {
    name: "run wakes who waits for a job",
    needs: ["jobs"],
    async run(bench) {
      const [id] = await bench.put(job("{}", { delayMs: 600_000 }));
      const ref = await onlyRef(bench, "delayed");
      const waiting = bench.lease({ waitMs: 60_000 });
      await bench.driver.stats(bench.queue);
      expect(statuses(await listsOf(bench).run(bench.queue, [ref]))).toEqual(["done"]);
      expect((await waiting).map((lease) => lease.job.id)).toEqual([id!]);
    },
  },
  {
    name: "a ready job that is run stays ready",
    needs: ["jobs"],
    async run(bench) {
      const [id] = await bench.put("{}");
      const ref = await onlyRef(bench, "ready");
      expect(statuses(await listsOf(bench).run(bench.queue, [ref, ref]))).toEqual(["done", "done"]);
      expect((await bench.collect(1))[0]?.job.id).toBe(id);
      expect(await bench.lease()).toEqual([]);
    },
  },
  {
    name: "cancel removes from every state but leased, and gives the jobs back",
    needs: ["jobs"],
    async run(bench) {
      const { put, take, settle, driver, queue } = bench;
      await put(job("delayed", { delayMs: 600_000 }));
      await put("parked");
      await settle({ verb: "park", key: lane }, await take());
      await put("leased");
      const held = await take(closed);
      const child = { id: "parent_0f3a9c21", body: "child", endpoint: lane };
      await put("parent");
      await settle({ verb: "replace", jobs: [child] }, await take(closed));
      const [, kept] = await put("ready", "kept", "ready too");
      const refs: string[] = [];
      for (const state of ["ready", "delayed", "parked", "leased"] as const) {
        for (const one of await listAll(bench, state)) if (one.id !== kept) refs.push(one.ref);
      }
      const outcomes = await driver.jobs!.cancel(queue, [...refs, "nothing", "o~1~2~x~~"]);
      const done = Array.from({ length: 5 }, () => "done");
      expect(statuses(outcomes)).toEqual([...done, "leased", "not_found", "not_found"]);
      const gone = outcomes.flatMap((outcome) => (outcome.status === "done" ? [outcome.job] : []));
      expect(gone.map(({ body }) => String(body)).sort()).toEqual([
        "child",
        "delayed",
        "parked",
        "ready",
        "ready too",
      ]);
      expect(await driver.stats(queue)).toMatchObject({ ready: 1, delayed: 0, parked: 0, leased: 1 });
      await settle({ verb: "ack" }, held);
      expect((await bench.collect(1))[0]?.job.id).toBe(kept);
      expect(await bench.lease()).toEqual([]);
      expect(statuses(await driver.jobs!.cancel(queue, refs))).toEqual(refs.map(() => "not_found"));
    },
  },
  {
    name: "a ref names one job: what came to stand in its place is not touched",
    needs: ["jobs"],
    async run(bench) {
      await bench.put("1");
      const ref = await onlyRef(bench, "ready");
      await bench.settle({ verb: "ack" }, await bench.take());
      const [id] = await bench.put("1");
      expect(statuses(await listsOf(bench).cancel(bench.queue, [ref]))).toEqual(["not_found"]);
      expect(statuses(await listsOf(bench).cancel(bench.otherQueue, [ref]))).toEqual(["not_found"]);
      expect((await bench.collect(1))[0]?.job.id).toBe(id);
    },
  },
  {
    name: "many are cancelled from the middle of what waits, and the others stay in their order",
    needs: ["jobs"],
    async run(bench) {
      const put = await bench.put(...Array.from({ length: 300 }, (_, n) => job(String(n))));
      const listed = await listAll(bench, "ready");
      const some = listed.filter((_, n) => n % 3 !== 0);
      const outcomes = await listsOf(bench).cancel(
        bench.queue,
        some.map(({ ref }) => ref),
      );
      expect(new Set(statuses(outcomes))).toEqual(new Set(["done"]));
      const left = await bench.collect(100, { max: 100 });
      expect(left.map((lease) => lease.job.id)).toEqual(put.filter((_, n) => n % 3 === 0));
      expect(await bench.lease()).toEqual([]);
    },
  },
  {
    name: "a lease that has run out is none: its job is ready, and is cancelled for good",
    needs: ["jobs"],
    async run(bench) {
      const { driver, queue, put, take, timing, until, trySettle } = bench;
      await put("{}");
      const late = await take({ leaseMs: timing.leaseMs });
      const ref = await until("the job to be ready", async () => (await listAll(bench, "ready"))[0]?.ref);
      expect(await listAll(bench, "leased")).toEqual([]);
      expect(statuses(await driver.jobs!.cancel(queue, [ref]))).toEqual(["done"]);
      expect(await trySettle({ verb: "retry", delayMs: 0 }, late)).toBe("lost");
      expect(await bench.lease()).toEqual([]);
      expect(await driver.stats(queue)).toMatchObject({ ready: 0, delayed: 0, leased: 0 });
    },
  },
  {
    name: "a producer's own messages are listed, found, run and cancelled",
    needs: ["jobs", "produce"],
    async run(bench) {
      const lists = listsOf(bench);
      const sockudo = '{"app_key":"k","app_id":"a","job_id":"theirs-1","payload":{"events":[]}}';
      const bodies = ["same", sockudo, "same", new Uint8Array([66, 0, 255, 10, 13])];
      for (const body of bodies) await bench.produce(body);
      const listed = await listAll(bench, "ready", 2);
      expect(listed.map(({ body }) => body)).toEqual(bodies);
      expect(listed.map(({ id, attempts }) => [id, attempts])).toEqual(bodies.map(() => [null, 0]));
      const found = await lists.find(bench.queue, ["theirs-1"]);
      expect([found.complete, found.jobs.map(({ body }) => body)]).toEqual([true, [sockudo]]);
      expect(statuses(await lists.run(bench.queue, [listed[0]!.ref]))).toEqual(["done"]);
      const [twin, , , binary] = listed;
      expect(statuses(await lists.cancel(bench.queue, [twin!.ref, binary!.ref]))).toEqual(["done", "done"]);
      const left = await bench.collect(2);
      expect(left.map((lease) => lease.job.body)).toEqual([sockudo, "same"]);
      expect(statuses(await lists.cancel(bench.queue, [found.jobs[0]!.ref]))).toEqual(["leased"]);
      expect((await lists.find(bench.queue, ["theirs-1"])).jobs).toMatchObject([{ state: "leased" }]);
    },
  },
  {
    name: "refs and cursors tell nothing of a job's bytes",
    needs: ["jobs"],
    async run(bench) {
      const secret = "KEYabcdefghijklmnopqrstuvwxyz0123456789";
      const { take, settle, put, queue } = bench;
      await put(...Array.from({ length: 10 }, () => job(secret)));
      await settle({ verb: "retry", delayMs: 600_000 }, await take(), await take());
      await settle({ verb: "release" }, await take(), await take());
      await settle({ verb: "park", key: lane }, await take(), await take());
      await bench.collect(2, closed);
      const told: string[] = [];
      for (const state of ["ready", "delayed", "leased", "parked"] as const) {
        const page = await listsOf(bench).page(queue, { ...noCursor, state, limit: 1 });
        expect(page.items).toHaveLength(1);
        told.push(page.items[0]!.ref, page.cursor ?? "");
      }
      for (const text of told.flatMap((one) => one.split("~"))) {
        expect(text + Buffer.from(text, "base64url").toString("latin1")).not.toMatch(/KEY|abcd/);
      }
    },
  },
  {
    name: "of equal messages each ref names one",
    needs: ["jobs", "produce"],
    async run(bench) {
      for (let n = 0; n < 3; n += 1) await bench.produce("same");
      const refs = (await listAll(bench, "ready")).map(({ ref }) => ref);
      expect(new Set(refs).size).toBe(3);
      await bench.take();
      const outcomes = await listsOf(bench).cancel(bench.queue, refs);
      expect(statuses(outcomes).sort()).toEqual(["done", "done", "leased"]);
      expect(await bench.lease()).toEqual([]);
    },
  },
];

/** Who cancels, who runs and who leases at the same time: each job comes out once, or was called done and never comes. */
async function race(bench: Bench, jobs: number): Promise<void> {
  const { driver, queue } = bench;
  const lists = listsOf(bench);
  const put: string[] = [];
  for (let n = 0; n < jobs; n += 100) {
    const some = Array.from({ length: 100 }, (_, at) => job("{}", { delayMs: at % 4 === 0 ? 600_000 : 0 }));
    put.push(...(await bench.put(...some)));
  }
  const cancelled = new Set<string>();
  const acked: string[] = [];
  const isOver = (): boolean => cancelled.size + acked.length >= put.length;
  const work = async (): Promise<void> => {
    while (!isOver()) {
      const leases = await bench.lease({ max: 7, waitMs: 20 });
      for (const one of leases) expect([one.job.id, cancelled.has(one.job.id)]).toEqual([one.job.id, false]);
      if (leases.length === 0) continue;
      await bench.settle({ verb: "ack" }, ...leases);
      acked.push(...leases.map((lease) => lease.job.id));
    }
  };
  const change = async (state: ListedState, verb: "run" | "cancel"): Promise<void> => {
    while (!isOver()) {
      const page = await lists.page(queue, { ...noCursor, state, limit: 12 });
      const outcomes = await lists[verb](
        queue,
        page.items.map(({ ref }) => ref),
      );
      expect(outcomes.every(({ status }) => status !== "failed")).toBe(true);
      if (verb === "cancel") {
        for (const one of outcomes) if (one.status === "done") cancelled.add(String(one.job.id));
      }
      if (page.items.length === 0) await driver.stats(queue);
      // A driver in memory answers in the same turn: whoever leases must have one, too.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await bench.until("every job to be acked or cancelled", async () => {
    await Promise.all([work(), work(), change("ready", "cancel"), change("delayed", "run")]);
    return true;
  });
  expect([...cancelled, ...acked].sort()).toEqual([...put].sort());
  expect(await driver.stats(queue)).toMatchObject({ ready: 0, delayed: 0, leased: 0, parked: 0 });
}

export const jobRaceClaims: readonly Claim[] = [
  {
    name: "beside workers that lease, nothing is lost or doubled, and what was cancelled never comes",
    needs: ["jobs"],
    run: (bench) => race(bench, 400),
  },
];
