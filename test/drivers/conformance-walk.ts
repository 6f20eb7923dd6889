import { expect } from "bun:test";
import type { Disposition, Lease } from "../../src/queue/driver.ts";
import { listedStates, type JobLists } from "../../src/queue/job-lists.ts";
import type { Bench, Claim } from "./conformance-bench.ts";
import { deadly, job } from "./conformance-bench.ts";

/** What the model knows of one job; `attempts` as the next lease must show it. */
interface Known {
  body: string;
  attempts: number;
  state: "available" | "leased" | "parked" | "dead" | "acked" | "replaced" | "removed";
  key: string | null;
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const lanes = ["lane-a", "lane-b", "lane-c"];

/** Does random things to a driver and to a model, and compares each answer and the final account. */
async function walk(bench: Bench, seed: number, steps: number): Promise<void> {
  const { driver, queue } = bench;
  const random = seeded(seed);
  const chance = (share: number): boolean => random() < share;
  const below = (count: number): number => Math.floor(random() * count);
  const jobs = new Map<string, Known>();
  const held: Lease[] = [];
  const settled: Lease[] = [];
  let children = 0;
  let accepted = 0;

  const know = (id: string): Known => {
    const known = jobs.get(id);
    if (known === undefined) throw new Error(`the driver gave ${id}, which nobody put (seed ${seed})`);
    return known;
  };

  const receive = (leases: readonly Lease[], closed: ReadonlySet<string>): void => {
    for (const lease of leases) {
      const known = know(lease.job.id);
      const expected = known.state === "parked" && closed.has(known.key!) ? "not parked" : known.state;
      expect([lease.job.id, "available or parked"]).toEqual([
        lease.job.id,
        ["available", "parked"].includes(expected) ? "available or parked" : expected,
      ]);
      expect([lease.job.id, lease.job.body, lease.job.attempts]).toEqual([
        lease.job.id,
        known.body,
        known.attempts,
      ]);
      known.state = "leased";
      known.key = null;
      held.push(lease);
    }
  };

  const dispose = (lease: Lease): Disposition => {
    const known = know(lease.job.id);
    const roll = random();
    if (roll < 0.35) {
      known.state = "acked";
      return { verb: "ack" };
    }
    if (roll < 0.55) {
      known.state = "available";
      known.attempts += 1;
      const body = chance(0.3) ? `${known.body}'` : undefined;
      if (body !== undefined) known.body = body;
      const delayMs = chance(0.5) ? 0 : below(bench.timing.delayMs);
      return { verb: "retry", delayMs, ...(body === undefined ? {} : { body }) };
    }
    if (roll < 0.65) {
      known.state = "available";
      return { verb: "release" };
    }
    if (roll < 0.8) {
      known.state = "parked";
      known.key = lanes[below(lanes.length)]!;
      return { verb: "park", key: known.key };
    }
    if (roll < 0.92) {
      known.state = "dead";
      return deadly("walk", { attempted: chance(0.5) });
    }
    known.state = "replaced";
    const made = Array.from({ length: below(4) }, () => {
      const id = `child-${(children += 1)}`;
      jobs.set(id, { body: id, attempts: 0, state: "available", key: null });
      return { id, body: id, endpoint: `app-1/${id}` };
    });
    accepted += made.length;
    return { verb: "replace", jobs: made };
  };

  for (let step = 0; step < steps; step += 1) {
    const roll = random();
    if (roll < 0.25) {
      const fresh = Array.from({ length: 1 + below(12) }, () =>
        job(`seed-${seed}-${step}`, {
          delayMs: driver.capabilities.maxDelayMs > 0 && chance(0.2) ? below(bench.timing.delayMs) : 0,
        }),
      );
      for (const one of fresh) {
        jobs.set(one.id, { body: one.body as string, attempts: 0, state: "available", key: null });
      }
      accepted += fresh.length;
      await bench.put(...fresh);
    } else if (roll < 0.55) {
      const closed = new Set(lanes.filter(() => chance(0.5)));
      receive(await bench.lease({ max: 1 + below(10), closedKeys: closed }), closed);
    } else if (roll < 0.82) {
      const ending = held.splice(0, below(held.length + 1));
      await settleAll(ending);
      if (settled.length > 0 && chance(0.3)) {
        const stale = settled[below(settled.length)]!;
        expect(await bench.trySettle({ verb: "ack" }, stale)).toBe("lost");
      }
    } else if (roll < 0.86) {
      await redriveSome(1 + below(5));
    } else if (roll < 0.89) {
      expect(await driver.extend(held, 60_000)).toEqual(held.map(() => "extended"));
    } else if (roll < 0.99 && driver.jobs !== undefined) {
      await change(driver.jobs);
    } else {
      const [letter] = (await driver.deadLetters(queue, { limit: 1, cursor: null })).items;
      if (letter !== undefined) {
        expect(await driver.removeDead(queue, letter.id)).toBe(true);
        know(letter.jobId).state = "removed";
      }
    }
  }

  /** Lists a state, and runs or cancels some of what it holds. */
  async function change(lists: JobLists): Promise<void> {
    const state = listedStates[below(listedStates.length)]!;
    const request = { state, limit: 1 + below(10), cursor: null, maxBytes: 1_000_000 };
    const { items } = await lists.page(queue, request);
    for (const one of items) {
      const known = know(String(one.id));
      const expected = state === "leased" || state === "parked" ? state : "available";
      expect([one.id, known.state]).toEqual([one.id, expected]);
      expect([one.id, one.body, one.attempts, one.key]).toEqual([
        one.id,
        known.body,
        known.attempts,
        known.key,
      ]);
    }
    const some = items.filter(() => chance(0.6));
    const verb = chance(0.5) ? "cancel" : "run";
    const outcomes = await lists[verb](
      queue,
      some.map(({ ref }) => ref),
    );
    for (const [index, one] of some.entries()) {
      const status = state === "leased" ? "leased" : "done";
      expect([one.id, outcomes[index]?.status]).toEqual([one.id, status]);
      if (state === "leased") continue;
      const known = know(String(one.id));
      known.state = verb === "cancel" ? "removed" : "available";
      known.key = null;
    }
  }

  async function settleAll(leases: readonly Lease[]): Promise<void> {
    if (leases.length === 0) return;
    const results = await driver.settle(leases.map((lease) => ({ ...dispose(lease), lease })));
    expect(results).toEqual(leases.map(() => ({ status: "settled" })));
    settled.push(...leases);
  }

  async function redriveSome(count: number): Promise<void> {
    const before = (await bench.dead()).slice(0, count);
    if (before.length === 0) return;
    expect(await driver.redrive(queue, { ids: before.map(({ id }) => id) })).toBe(before.length);
    for (const { jobId } of before) {
      const known = know(jobId);
      expect(known.state).toBe("dead");
      known.state = "available";
      known.attempts = 0;
    }
  }

  // The account: what the driver counts is what the model holds.
  const inState = (...states: readonly Known["state"][]): number =>
    [...jobs.values()].filter(({ state }) => states.includes(state)).length;
  if (driver.capabilities.exactStats) {
    const stats = await driver.stats(queue);
    expect({
      waiting: stats.ready! + stats.delayed!,
      leased: stats.leased,
      parked: stats.parked,
      dead: stats.dead,
    }).toEqual({
      waiting: inState("available"),
      leased: inState("leased"),
      parked: inState("parked"),
      dead: inState("dead"),
    });
  }
  expect((await bench.dead()).map(({ jobId }) => jobId).sort()).toEqual(
    [...jobs]
      .filter(([, { state }]) => state === "dead")
      .map(([id]) => id)
      .sort(),
  );

  // And all of it comes out: what is held is acked, what waits and is parked is leased and acked.
  const ending = held.splice(0);
  for (const lease of ending) know(lease.job.id).state = "acked";
  if (ending.length > 0) await bench.settle({ verb: "ack" }, ...ending);
  const left = inState("available", "parked");
  receive(await bench.collect(left), new Set());
  const last = held.splice(0);
  for (const lease of last) know(lease.job.id).state = "acked";
  if (last.length > 0) await bench.settle({ verb: "ack" }, ...last);
  expect(await bench.lease()).toEqual([]);
  expect(inState("acked", "replaced", "dead", "removed")).toBe(accepted);
}

export const walkClaims: readonly Claim[] = [1, 2, 3].map((seed) => ({
  name: `random walk ${seed}: every job accepted is acked, dead, ready, delayed, leased or parked`,
  needs: ["refundsAttempt", "listsDeadLetters", "fenced"],
  run: (bench) => walk(bench, seed, 400),
}));
