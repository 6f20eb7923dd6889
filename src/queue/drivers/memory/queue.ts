import { randomBytes } from "node:crypto";
import { QueueFullError } from "../../../errors.ts";
import type { JobBody } from "../../../jobs/job.ts";
import type { EnqueueResult, Lease, LeaseOptions, NewJob, Settlement } from "../../driver.ts";
import { createAdmission } from "./admission.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { createJobEntry, noRef, type JobEntry } from "./job-entry.ts";
import type { Keeper, NewChild } from "./keeper.ts";
import { createListedJobs } from "./listed-jobs.ts";
import { createLeases } from "./leases.ts";
import type { MemoryQueue, MemoryQueueOptions } from "./memory-queue.ts";
import { createWaitingJobs } from "./waiting-jobs.ts";
import { createEntryPlaces } from "./waiting-places.ts";
import { createWaitingLine } from "./waiting-line.ts";

/**
 * An empty queue.
 *
 * @param dead   Where its dead letters go.
 * @param keeper What keeps the bytes and makes things last.
 */
export function createMemoryQueue(
  name: string,
  options: MemoryQueueOptions,
  dead: DeadLetters,
  keeper: Keeper,
): MemoryQueue {
  const { clock, events, capacity } = options;
  const waiting = createWaitingJobs({
    ...(options.places ?? createEntryPlaces()),
    // Without a capacity nothing is ever evicted, and nobody has to know who holds most.
    tracksHoldings: capacity !== Infinity,
  });
  const leases = createLeases();
  const evicts = options.whenFull === "evict_oldest";
  const admission = createAdmission({
    ...options,
    queue: name,
    rejects: !evicts,
    waiting: () => waiting.size,
  });
  let isPaused = false;
  let lastOrder = 0;

  const newEntry = (id: string, endpoint: string | null = null): JobEntry =>
    createJobEntry(id, noRef, (lastOrder += 1), clock.now(), endpoint);

  /** Drops what goes first while more than `most` wait, at most `limit` of them. */
  const evict = (most: number, limit = Infinity): void => {
    if (!evicts) return;
    let evicted = 0;
    while (waiting.size > most && evicted < limit) {
      const entry = waiting.evict();
      if (entry === undefined) break;
      keeper.ended(entry);
      evicted += 1;
    }
    if (evicted > 0) events.evicted(name, evicted);
  };

  /** One job that was leased waits again. It takes the room of one, its own if it is the one that goes first. */
  const comeBack = (entry: JobEntry, delayMs: number, body?: JobBody): void => {
    keeper.waits(entry, { delayMs }, body);
    waiting.addBack(entry, delayMs > 0 ? clock.monotonic() + delayMs : null);
    evict(capacity, 1);
  };

  /** Makes ready what is due, and reclaims leases that ended unsettled: one attempt charged. */
  const promote = (): void => {
    const now = clock.monotonic();
    let reclaimed = 0;
    for (let entry = leases.endNextOver(now); entry !== undefined; entry = leases.endNextOver(now)) {
      entry.attempts += 1;
      comeBack(entry, 0);
      reclaimed += 1;
    }
    if (reclaimed > 0) events.reclaimed(name, reclaimed);
    waiting.promote(now);
  };

  const take = (request: LeaseOptions): JobEntry[] => {
    if (isPaused) return [];
    promote();
    const leaseEnd = clock.monotonic() + request.leaseMs;
    const taken = waiting.take(request);
    for (const entry of taken) leases.begin(entry, leaseEnd);
    if (taken.length > 0) keeper.leased(taken);
    return taken;
  };

  /** The leases of entries taken, with their bytes. Tokens as they are now: a lease may end while bytes are read. */
  const readOut = (taken: readonly JobEntry[]): Lease[] | Promise<Lease[]> => {
    const tokens = taken.map(({ token }) => token as string);
    const loaded = keeper.load(taken);
    const toLeases = (bodies: readonly JobBody[]): Lease[] =>
      taken.map(({ id, attempts, enqueuedAt }, at) => ({
        queue: name,
        token: tokens[at] as string,
        job: { id, body: bodies[at] as JobBody, attempts, enqueuedAt, message: null },
      }));
    return loaded instanceof Promise ? loaded.then(toLeases) : toLeases(loaded);
  };

  const nextDeadline = (): number | null => {
    if (isPaused) return null;
    const next = Math.min(waiting.nextDue(), leases.nextEnd());
    return next === Infinity ? null : next;
  };
  const line = createWaitingLine({ take, readOut, nextDeadline, clock });

  const enqueueOne = (job: NewJob, accepted: JobEntry[]): EnqueueResult => {
    const refused = admission.refuse(job, accepted.length);
    if (refused !== null) return refused;
    const entry = newEntry(job.id);
    keeper.enqueued(entry, job);
    entry.deadline = job.delayMs > 0 ? clock.monotonic() + job.delayMs : 0;
    accepted.push(entry);
    // Remembered last: a job that was refused may be sent again.
    if (job.dedup !== null) admission.dedup.remember(job.dedup, job.id);
    return { status: "enqueued", id: job.id };
  };

  const replace = (parent: JobEntry, settlement: Settlement & { readonly verb: "replace" }): void => {
    const children = settlement.jobs.map(({ id, endpoint, body, head }): NewChild => ({
      entry: newEntry(id, endpoint),
      body,
      head,
    }));
    keeper.replaced(parent, children, settlement.tail);
    keeper.whenSafe(() => {
      // Children are never refused: room is made for them among the others.
      evict(Math.max(0, capacity - children.length));
      for (const { entry } of children) waiting.addAhead(entry);
      line.wake();
    });
  };

  const dispose = (entry: JobEntry, settlement: Settlement): void => {
    leases.end(entry);
    const body = "body" in settlement ? settlement.body : undefined;
    if ("id" in settlement && settlement.id !== undefined && settlement.id !== entry.id) {
      entry.id = settlement.id;
      keeper.renamed(entry);
    }
    switch (settlement.verb) {
      case "ack":
        return keeper.ended(entry);
      case "release":
        return comeBack(entry, 0);
      case "retry":
        entry.attempts += 1;
        entry.endpoint = settlement.endpoint ?? entry.endpoint;
        return comeBack(entry, settlement.delayMs, body);
      case "park":
        entry.endpoint = settlement.key;
        keeper.waits(entry, { key: settlement.key }, body);
        waiting.park(entry, settlement.key);
        return evict(capacity, 1);
      case "replace":
        return replace(entry, settlement);
      case "dead":
        return dead.add(entry, settlement);
    }
  };

  const run = randomBytes(6).toString("hex");
  const lists = createListedJobs({
    mark: run,
    mostLookedAt: 50_000,
    ...options.listing,
    run,
    waiting,
    leases,
    keeper,
    clock,
    promote,
    makeReady(entry) {
      keeper.waits(entry, { delayMs: 0 });
      waiting.addBack(entry, null);
    },
    wake: () => line.wake(),
  });

  return {
    lists,
    enqueue(jobs) {
      const accepted: JobEntry[] = [];
      const results = jobs.map((job) => enqueueOne(job, accepted));
      if (accepted.length > 0) {
        keeper.whenSafe(() => {
          for (const entry of accepted) waiting.addNew(entry, entry.deadline === 0 ? null : entry.deadline);
          evict(capacity);
          line.wake();
        });
      }
      return results;
    },
    async lease(request) {
      if (request.signal.aborted) return [];
      const taken = take(request);
      return taken.length > 0 || request.waitMs <= 0 ? readOut(taken) : line.wait(request);
    },
    extend(token, leaseMs) {
      const entry = leases.find(token);
      if (entry === undefined) return "lost";
      leases.extend(entry, clock.monotonic() + leaseMs);
      return "extended";
    },
    settle(settlement) {
      // A lease past its end that nobody has reclaimed yet is still current: settling it spares a double.
      const entry = leases.find(settlement.lease.token);
      if (entry === undefined) return { status: "lost" };
      dispose(entry, settlement);
      return { status: "settled" };
    },
    wake: () => line.wake(),
    redrive(which) {
      let room = capacity - waiting.size;
      const redriven: JobEntry[] = [];
      for (const letter of dead.select(which)) {
        // What was given up once waits where it is safe until there is room: it pushes nobody out.
        if (room <= 0 && redriven.length > 0) break;
        if (room <= 0) {
          throw new QueueFullError(
            `queue ${name} holds ${waiting.size} jobs, its capacity is ${capacity}: redrive when it holds less`,
          );
        }
        dead.take(letter.id);
        const rewritten = "ids" in which ? which.rewritten?.get(letter.id) : undefined;
        const entry = newEntry(rewritten?.id ?? letter.jobId, rewritten?.endpoint ?? letter.endpoint);
        entry.ref = letter.ref;
        keeper.redriven(letter, entry, rewritten?.body);
        redriven.push(entry);
        room -= 1;
      }
      keeper.whenSafe(() => {
        for (const entry of redriven) waiting.addAhead(entry);
        line.wake();
      });
      return redriven.length;
    },
    stats() {
      promote();
      const oldest = waiting.oldestReadyEnqueuedAt();
      return {
        ...waiting.counts(),
        leased: leases.size,
        dead: dead.size,
        oldestReadyAgeMs: oldest === null ? null : Math.max(0, clock.now() - oldest),
        paused: isPaused,
      };
    },
    parkedJobs: () => waiting.parkedJobs(),
    setPaused(next) {
      isPaused = next;
      options.pause.set(next);
      line.wake();
    },
    refusal: () => admission.findFull(0),
    restore({ entry, delayMs, place }) {
      const deadline = delayMs > 0 ? clock.monotonic() + delayMs : null;
      // Also when it is due already: what was delayed comes before what waits in line.
      if (place === "delayed") waiting.addNew(entry, clock.monotonic() + delayMs);
      else if (place === "line") waiting.addNew(entry, null);
      else if (place === "back") waiting.addBack(entry, deadline);
      else if (place === "ahead") waiting.addAhead(entry);
      else waiting.park(entry, entry.endpoint ?? "");
    },
    restoreDedup: (key, id, ageMs) => admission.dedup.remember(key, id, ageMs),
    findDedup: (key) => admission.dedup.find(key),
    close: () => line.close(),
  };
}
