import { expect } from "bun:test";
import { DriverUnavailableError, QueueFullError } from "../../src/errors.ts";
import type { Disposition, Lease, NewJob, SettleResult, Settlement } from "../../src/queue/driver.ts";
import { listedStates, type JobLists } from "../../src/queue/job-lists.ts";
import type { Bench, Claim } from "./conformance-bench.ts";
import { deadly, job } from "./conformance-bench.ts";
import { seeded } from "./conformance-walk.ts";

/**
 * Where a job is, as far as a caller can know: told accepted and not ended yet, ended for good (acked, replaced, removed), or
 * refused at enqueue and not tried again.
 */
interface Known {
  body: string;
  state: "inside" | "ended" | "refused";
}

/** A settlement that the driver has not confirmed; it is asked for again until it does, as the worker's settler does. */
interface Unsettled {
  readonly settlement: Settlement;
  /** Notes what it does, once. */
  readonly apply: () => void;
  /** A call with it has failed: it may have taken effect, or not. */
  hasFailed: boolean;
}

const lanes = ["lane-a", "lane-b"];

/**
 * Does random things to a driver while commands of its backend fail, and accounts for every job.
 *
 * A fault stands for a few steps. While it does, a call may throw DriverUnavailableError or QueueFullError, and nothing else;
 * while none does, every call must work. At the end everything is taken out, dead letters by redrive: each job that was
 * accepted has been acked, replaced or removed before, or comes out now, and none comes twice.
 */
async function walkWithFaults(bench: Bench, seed: number): Promise<void> {
  const { driver, queue } = bench;
  const { kinds, mayDouble, keepsBytes = false, steps = 400 } = bench.faults();
  const random = seeded(seed);
  const chance = (share: number): boolean => random() < share;
  const below = (count: number): number => Math.floor(random() * count);
  const jobs = new Map<string, Known>();
  const held: Lease[] = [];
  let again: NewJob[] = [];
  let unsettled: Unsettled[] = [];
  /** Those that are known to have taken effect before the driver has said so. */
  let shownSettled: Unsettled[] = [];
  const removing = new Map<string, string>();
  const doubles: string[] = [];
  let failedCalls = 0;
  let made = 0;
  let standing: { name: string; end: () => Promise<void>; steps: number } | null = null;
  const trail: string[] = [];

  /** Job → what happened to it, for messages. */
  const stories = new Map<string, string[]>();
  const tell = (id: string, event: string): void => {
    const story = stories.get(id);
    if (story === undefined) stories.set(id, [event]);
    else story.push(event);
  };

  const fail = (what: string, id?: string): never => {
    const story = id === undefined ? "" : `; ${id}: ${stories.get(id)?.join(", ")}`;
    throw new Error(`${what} (seed ${seed}; ${trail.slice(-12).join(", ")}${story})`);
  };

  /** The call's value, or null where a fault made it fail. */
  const attempt = async <T>(what: string, call: () => Promise<T>): Promise<T | null> => {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof DriverUnavailableError || error instanceof QueueFullError)) throw error;
      failedCalls += 1;
      trail.push(`${what} failed`);
      if (standing === null) fail(`${what} failed while nothing was wrong: ${error.message}`);
      return null;
    }
  };

  const enqueue = async (some: readonly NewJob[]): Promise<void> => {
    const results = await attempt("enqueue", () => driver.enqueue(queue, some));
    for (const [index, one] of some.entries()) {
      const result = results?.[index];
      if (result?.status === "enqueued" || result?.status === "duplicate") {
        jobs.set(one.id, { body: String(one.body), state: "inside" });
      } else if (result === undefined || result.status === "failed") {
        if (result !== undefined) failedCalls += 1;
        if (standing === null) fail(`${one.id} was refused while nothing was wrong`);
        if (jobs.get(one.id)?.state === "inside") continue;
        // A producer tries again, or gives up.
        if (chance(0.8)) again.push(one);
        else jobs.set(one.id, { body: String(one.body), state: "refused" });
      } else fail(`${one.id}: enqueue answered ${result.status}`);
    }
  };

  /** A job that is seen again, or its child, shows that a settlement has taken effect whose call failed. */
  const show = (id: string): void => {
    const at = unsettled.findIndex(
      ({ settlement, hasFailed }) =>
        hasFailed &&
        (settlement.lease.job.id === id
          ? settlement.verb !== "ack" && settlement.verb !== "replace"
          : settlement.verb === "replace" && settlement.jobs.some((child) => child.id === id)),
    );
    if (at === -1) return;
    tell(id, "shown settled");
    unsettled[at]!.apply();
    shownSettled.push(...unsettled.splice(at, 1));
  };

  const receive = (leases: readonly Lease[]): void => {
    for (const lease of leases) {
      const { id } = lease.job;
      show(id);
      const known = jobs.get(id);
      if (known === undefined && !again.some((one) => one.id === id))
        fail(`the driver gave ${id}, which nobody put`);
      const isHeld =
        held.some(({ job: other }) => other.id === id) ||
        unsettled.some(({ settlement }) => settlement.lease.job.id === id);
      if (isHeld || known?.state !== "inside" || removing.has(id)) {
        doubles.push(id);
        if (!mayDouble) fail(`${id} came though it is ${isHeld ? "held" : (known?.state ?? "refused")}`, id);
      } else if (!mayDouble) expect([id, lease.job.body]).toEqual([id, known.body]);
      tell(id, "leased");
      held.push(lease);
    }
  };

  const dispose = (lease: Lease): Unsettled => {
    const known = jobs.get(lease.job.id);
    const become = (state: Known["state"], body?: string) => () => {
      if (known === undefined) return;
      known.state = state;
      if (body !== undefined) known.body = body;
    };
    const unconfirmed = (disposition: Disposition, apply: () => void): Unsettled => ({
      settlement: { ...disposition, lease },
      apply,
      hasFailed: false,
    });
    const roll = random();
    if (roll < 0.3) return unconfirmed({ verb: "ack" }, become("ended"));
    if (roll < 0.5) {
      const body = chance(0.3) && !keepsBytes ? `${String(lease.job.body)}'` : undefined;
      const delayMs = chance(0.5) ? 0 : below(bench.timing.delayMs);
      return unconfirmed(
        { verb: "retry", delayMs, ...(body === undefined ? {} : { body }) },
        become("inside", body),
      );
    }
    if (roll < 0.6) return unconfirmed({ verb: "release" }, become("inside"));
    if (roll < 0.75) return unconfirmed({ verb: "park", key: lanes[below(lanes.length)]! }, become("inside"));
    if (roll < 0.9) return unconfirmed(deadly("walk", { attempted: chance(0.5) }), become("inside"));
    const children = Array.from({ length: below(4) }, () => {
      const id = `child-${seed}-${(made += 1)}`;
      return { id, body: id, endpoint: `app-1/${id}` };
    });
    return unconfirmed({ verb: "replace", jobs: children }, () => {
      become("ended")();
      for (const { id, body } of children) jobs.set(id, { body, state: "inside" });
    });
  };

  const settle = async (): Promise<void> => {
    const asked = [...unsettled, ...shownSettled];
    if (asked.length === 0) return;
    const waiting = new Set(unsettled);
    const results: SettleResult[] | null = await attempt("settle", () =>
      driver.settle(asked.map(({ settlement }) => settlement)),
    );
    for (const one of asked) one.hasFailed = true;
    for (const { settlement } of asked) {
      tell(settlement.lease.job.id, `${settlement.verb} ${results === null ? "failed" : "asked"}`);
    }
    if (results === null) return;
    unsettled = [];
    shownSettled = [];
    for (const [index, one] of asked.entries()) {
      const { settlement } = one;
      const result = results[index] ?? fail("settle answered too few");
      const { id } = settlement.lease.job;
      tell(id, result.status);
      // A failed one is not asked for again: its lease ends by itself, and the job comes back.
      if (result.status === "settled") {
        if (waiting.has(one)) one.apply();
      } else if (result.status === "unknown") {
        failedCalls += 1;
        if (standing === null) fail(`${settlement.verb} of ${id} is unknown while nothing is wrong`, id);
        (waiting.has(one) ? unsettled : shownSettled).push(one);
      } else if (result.status === "lost" && !mayDouble) fail(`the lease of ${id} is lost`, id);
      else if (result.status === "failed") failedCalls += 1;
    }
  };

  const remove = async (id: string, jobId: string): Promise<void> => {
    const hasFailed = removing.has(jobId);
    removing.set(jobId, id);
    const answer = await attempt("remove", () => driver.removeDead(queue, id));
    if (answer === null) return;
    removing.delete(jobId);
    show(jobId);
    tell(jobId, `removed: ${answer}`);
    // Only a removal that failed may have taken effect.
    if (!answer && !hasFailed) fail(`the letter of ${jobId} was listed, and is not there`, jobId);
    jobs.get(jobId)!.state = "ended";
  };

  /** Runs or cancels some of what waits. A call that throws has changed nothing. */
  const change = async (lists: JobLists): Promise<void> => {
    const state = listedStates[below(listedStates.length)]!;
    const request = { state, limit: 1 + below(10), cursor: null, maxBytes: 1_000_000 };
    const page = await attempt("list", () => lists.page(queue, request));
    const refs = (page?.items ?? []).filter(() => chance(0.6)).map(({ ref }) => ref);
    const verb = chance(0.5) ? "cancel" : "run";
    const outcomes = (await attempt(verb, () => lists[verb](queue, refs))) ?? [];
    for (const outcome of outcomes) {
      if (outcome.status === "failed") {
        failedCalls += 1;
        if (standing === null) fail(`${verb} failed while nothing was wrong: ${outcome.error.message}`);
      }
      if (outcome.status === "not_found") fail(`${verb}: what was just listed as ${state} is not found`);
      if (outcome.status !== "done") continue;
      const id = String(outcome.job.id);
      show(id);
      tell(id, `${verb} from ${state}`);
      const known = jobs.get(id);
      if (known?.state !== "inside") fail(`${id} was ${verb} though it is ${known?.state ?? "unknown"}`, id);
      if (verb === "cancel") known!.state = "ended";
    }
  };

  const step = async (): Promise<void> => {
    if (driver.jobs !== undefined && chance(0.15)) await change(driver.jobs);
    if (chance(0.5)) await settle();
    if (again.length > 0 && chance(0.4)) {
      const some = again;
      again = [];
      await enqueue(some);
    }
    const roll = random();
    if (roll < 0.25) {
      const fresh = Array.from({ length: 1 + below(8) }, () => {
        const one = job(`seed-${seed}-${(made += 1)}`, {
          delayMs: driver.capabilities.maxDelayMs > 0 && chance(0.2) ? below(bench.timing.delayMs) : 0,
        });
        const isDeduplicated = driver.capabilities.dedup && chance(0.5);
        return isDeduplicated ? { ...one, dedup: { key: one.id, fingerprint: "f" } } : one;
      });
      await enqueue(fresh);
    } else if (roll < 0.6) {
      const closedKeys = new Set(lanes.filter(() => chance(0.5)));
      receive((await attempt("lease", () => bench.lease({ max: 1 + below(10), closedKeys }))) ?? []);
    } else if (roll < 0.85) {
      unsettled.push(...held.splice(0, below(held.length + 1)).map(dispose));
      await settle();
    } else if (roll < 0.9) {
      // A letter whose removal has failed is there or not: redriven, it would come though it may be taken for removed.
      if (removing.size === 0) await attempt("redrive", () => driver.redrive(queue, { max: 1 + below(5) }));
    } else if (roll < 0.94) {
      const states = await attempt("extend", () => driver.extend(held, 60_000));
      for (const state of states ?? []) {
        if (state === "unknown" && standing !== null) failedCalls += 1;
        else if (!mayDouble) expect(state).toBe("extended");
      }
    } else if (roll < 0.97) {
      await attempt("stats", () => driver.stats(queue));
    } else if (driver.capabilities.listsDeadLetters) {
      const [first] = removing;
      if (first !== undefined) return remove(first[1], first[0]);
      const page = await attempt("dead letters", () => driver.deadLetters(queue, { limit: 1, cursor: null }));
      const [letter] = page?.items ?? [];
      // What a redrive that failed half-way has left behind is a name without a job: the next redrive drops it.
      if (letter?.reason === "walk") await remove(letter.id, letter.jobId);
    }
  };

  const mend = async (): Promise<void> => {
    await standing?.end();
    if (standing !== null) trail.push(`${standing.name} ends`);
    standing = null;
  };

  try {
    for (let at = 0; at < steps; at += 1) {
      if (standing === null && chance(0.3)) {
        const fault = kinds[below(kinds.length)]!;
        trail.push(fault.name);
        standing = { name: fault.name, end: await fault.begin(), steps: 1 + below(5) };
      }
      await step();
      if (standing !== null && (standing.steps -= 1) <= 0) await mend();
    }
  } finally {
    await mend();
  }

  // Everything works again: what was to be done is done, and all that is inside comes out.
  await settle();
  for (const [jobId, id] of removing) await remove(id, jobId);
  await enqueue(again.splice(0));
  const takeOut = async (leases: readonly Lease[]): Promise<void> => {
    receive(leases);
    for (const lease of held.splice(0)) {
      unsettled.push({
        hasFailed: false,
        settlement: { verb: "ack", lease },
        apply: () => {
          const known = jobs.get(lease.job.id);
          if (known !== undefined) known.state = "ended";
        },
      });
    }
    await settle();
  };
  await takeOut([]);
  const inside = (): string[] => [...jobs].filter(([, { state }]) => state === "inside").map(([id]) => id);
  await bench
    .until("every job to come out", async () => {
      await driver.redrive(queue, { max: 1_000 });
      await takeOut(await bench.lease({ max: 100, waitMs: 50 }));
      return inside().length === 0;
    })
    .catch((error: Error) => {
      if (inside().length === 0 || !error.message.startsWith("waited")) throw error;
      fail(`${inside().length} lost: ${inside().slice(0, 20).join(", ")}`, inside()[0]);
    });
  expect(await driver.redrive(queue, { max: 1_000 })).toBe(0);
  await takeOut(await bench.lease());
  expect(doubles.length).toBeLessThanOrEqual(mayDouble ? failedCalls : 0);
  if (driver.capabilities.exactStats) {
    expect(await driver.stats(queue)).toMatchObject({ ready: 0, delayed: 0, leased: 0, parked: 0, dead: 0 });
  }
  expect(failedCalls).toBeGreaterThan(0);
}

export const faultClaims: readonly Claim[] = [1, 2, 3].map((seed) => ({
  name: `random walk ${seed} while commands fail: nothing accepted is lost, and nothing is multiplied`,
  needs: ["faults"],
  run: (bench) => walkWithFaults(bench, seed),
}));
