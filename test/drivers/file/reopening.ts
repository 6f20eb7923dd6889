import type { ExtendResult, Lease, QueueDriver, Settlement } from "../../../src/queue/driver.ts";

/**
 * A driver that is closed and opened anew before every step at which nobody holds a lease and no call is under way:
 * whatever a claim finds out afterwards, it finds out from disk.
 *
 * Leases end with the driver that gave them, so that there is nothing to compare while one is held.
 */
export function createReopeningDriver(make: () => QueueDriver): QueueDriver & { readonly reopened: number } {
  let current = make();
  let generation = 0;
  let underWay = 0;
  let turn: Promise<void> = Promise.resolve();
  const held = new Set<string>();
  const signal = new AbortController().signal;

  const reopen = async (): Promise<void> => {
    if (held.size > 0 || underWay > 0) return;
    await current.close();
    current = make();
    generation += 1;
    await current.open(signal);
  };

  /** One after the other up to the call itself, so that no call meets a driver that is about to close. */
  const step = async <T>(call: (driver: QueueDriver) => Promise<T>): Promise<T> => {
    const before = turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    turn = promise;
    await before;
    let result: Promise<T>;
    try {
      await reopen();
      underWay += 1;
      result = call(current);
    } finally {
      resolve();
    }
    try {
      return await result;
    } finally {
      underWay -= 1;
    }
  };

  const inward = (lease: Lease): Lease | null => {
    const [from, token = ""] = lease.token.split(":");
    return Number(from) === generation ? { ...lease, token } : null;
  };

  return {
    get reopened() {
      return generation;
    },
    name: current.name,
    capabilities: current.capabilities,
    open: (openSignal) => current.open(openSignal),
    enqueue: (queue, jobs) => step((driver) => driver.enqueue(queue, jobs)),
    lease: (queue, options) =>
      step(async (driver) => {
        const leases = await driver.lease(queue, options);
        return leases.map((lease) => {
          const token = `${generation}:${lease.token}`;
          held.add(token);
          return { ...lease, token };
        });
      }),
    async extend(leases, leaseMs) {
      const results: ExtendResult[] = [];
      for (const lease of leases) {
        const own = inward(lease);
        results.push((own === null ? undefined : (await current.extend([own], leaseMs))[0]) ?? "lost");
      }
      return results;
    },
    async settle(settlements) {
      const results = [];
      for (const settlement of settlements) {
        const lease = inward(settlement.lease);
        const [result] =
          lease === null ? [] : await current.settle([{ ...settlement, lease } satisfies Settlement]);
        held.delete(settlement.lease.token);
        results.push(result ?? ({ status: "lost" } as const));
      }
      return results;
    },
    problems: () => current.problems?.() ?? [],
    stats: (queue) => step((driver) => driver.stats(queue)),
    parkedJobs: (queue) => step(async (driver) => (await driver.parkedJobs?.(queue)) ?? []),
    pause: (queue) => step((driver) => driver.pause(queue)),
    resume: (queue) => step((driver) => driver.resume(queue)),
    jobs: {
      // A cursor is its process' own.
      page: (queue, request) =>
        request.cursor === null
          ? step((driver) => driver.jobs!.page(queue, request))
          : current.jobs!.page(queue, request),
      find: (queue, ids) => step((driver) => driver.jobs!.find(queue, ids)),
      read: (queue, refs) => step((driver) => driver.jobs!.read(queue, refs)),
      run: (queue, refs) => step((driver) => driver.jobs!.run(queue, refs)),
      cancel: (queue, refs) => step((driver) => driver.jobs!.cancel(queue, refs)),
    },
    findDead: (queue, ids) => step(async (driver) => (await driver.findDead?.(queue, ids)) ?? []),
    deadLetters: (queue, page) => step((driver) => driver.deadLetters(queue, page)),
    deadCounts: (queue) => step(async (driver) => (await driver.deadCounts?.(queue)) ?? null),
    redrive: (queue, which) => step((driver) => driver.redrive(queue, which)),
    removeDead: (queue, id) => step((driver) => driver.removeDead(queue, id)),
    removeManyDead: (queue, ids) => step((driver) => driver.removeManyDead!(queue, ids)),
    ping: (pingSignal) => current.ping(pingSignal),
    close: () => current.close(),
  };
}
