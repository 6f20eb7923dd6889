import { orAborted } from "../../../wait.ts";
import { DriverUnavailableError, type ConfigError } from "../../../errors.ts";
import type { DriverCapabilities, ExtendResult, Lease, QueueDriver } from "../../driver.ts";
import { enqueueJobs } from "./enqueue.ts";
import { configProblem } from "./errors.ts";
import { replyText } from "./evaluate.ts";
import { createForeignJobs } from "./foreign-jobs.ts";
import { hashTagProblem, recordKeys, sharedKey } from "./keys.ts";
import { chunk, maxBatch, maxDelayMs, maxPayloadBytes } from "./limits.ts";
import { randomName } from "./lease-call.ts";
import { createTopology } from "./create-topology.ts";
import type { RedisDriverContext, RedisDriverOptions } from "./options.ts";
import { createRedisRecords } from "./records.ts";
import { createRedisQueue } from "./redis-queue.ts";
import type { RedisQueue } from "./redis-queue.ts";
import { changeJobs, readJobs } from "./job-changes.ts";
import { findDeadLetters, findJobs } from "./job-find.ts";
import { listJobs } from "./job-lists.ts";
import { extendScript } from "./settle-script.ts";
import { createSettle } from "./settling.ts";
import { parkedScript, pauseScript, statsScript } from "./queue-scripts.ts";
import { readParkedJobs, readStats } from "./stats.ts";
import { createSharedState } from "./shared-state.ts";
import { createRanks } from "./ranks.ts";
import { createServerChecks } from "./server-checks.ts";
import { checkAll } from "./opening.ts";
import { onServer } from "./topology.ts";
import { probeWrite } from "./write-probe.ts";

/** What the redis and redis-cluster drivers can do. */
export const redisCapabilities: DriverCapabilities = {
  durable: true,
  dedup: true,
  fenced: true,
  refundsAttempt: true,
  exactStats: true,
  listsDeadLetters: true,
  ordersGroups: false,
  maxBatch,
  maxPayloadBytes,
  maxDelayMs,
  settleLingerMs: 2,
  pauseScope: "cluster",
};

/**
 * The redis and redis-cluster drivers: one, with two ways to find the server of a queue.
 *
 * Every change of a job is one Lua script on the server (script.ts), over keys of one slot (keys.ts). A queue
 * of a cluster therefore lives on one node; several queues spread. What Redis keeps is what its
 * persistence and replication keep: a failover can take back the last writes, hookline's own among them,
 * and a job whose end was taken back is delivered again.
 *
 * While Redis is away calls fail with DriverUnavailableError and the connections are made again for ever. Where Redis refuses
 * what one queue needs (a key of another type, a right that is missing), calls for that queue fail the same way, and
 * `problems` names it until it works again (queue-trouble.ts); nothing of it is lost (script.ts).
 * A settle whose answer was lost may be repeated: what it did is done once, and the second answer is `lost`.
 */
export function createRedisDriver(options: RedisDriverOptions, context: RedisDriverContext): QueueDriver {
  const log = context.log.child({ driver: options.name });
  const refused = Promise.withResolvers<ConfigError>();
  let isOpen = false;
  const blame = (problem: ConfigError, isMismatch: boolean): Error => {
    if (!isOpen) return problem;
    if (isMismatch) refused.resolve(problem);
    return new DriverUnavailableError(`redis: ${problem.message}`);
  };
  const topology = createTopology(options, {
    log,
    blame,
    onConnected: (server) => {
      if (isOpen) void checks.lookAgain(server);
    },
  });
  const checks = createServerChecks({ options, topology, clock: context.clock, log, blame });
  const process = randomName();
  const queues = new Map<string, RedisQueue>();
  /** Queues whose last enqueue failed. */
  const suspects = new Set<string>();
  let blocks = true;
  const shared = createSharedState({ key: sharedKey(options.prefix), topology, clock: context.clock, log });

  const keys = recordKeys(options.prefix);
  const records = createRedisRecords({ keys, topology, clock: context.clock, log });

  const queueOf = (name: string): RedisQueue => {
    const queue = queues.get(name);
    if (queue === undefined) throw new Error(`redis: the queue "${name}" is not configured`);
    return queue;
  };

  const ranks = createRanks({ process, clock: context.clock, log });
  const settle = createSettle((name, settlements) => queueOf(name).settle(settlements));
  for (const name of options.queues) {
    const parts = { options, context, topology, log, process, settle, ranks, blocks: () => blocks };
    queues.set(name, createRedisQueue(name, parts));
  }
  const foreign = createForeignJobs({
    options,
    topology,
    readyKeys: new Map([...queues].map(([name, { link }]) => [name, link.keys.ready])),
    clock: context.clock,
    log,
  });

  return {
    name: options.name,
    capabilities: redisCapabilities,

    async open(signal) {
      const lone = hashTagProblem(options.prefix);
      if (lone !== null) throw configProblem(options.prefixPath, lone);
      if (options.target.mode === "cluster" && options.db !== 0) {
        throw configProblem("database.redis.db", `a Redis Cluster has database 0 only, got ${options.db}`);
      }
      const all = [...queues.values()].map(({ link }) => link.keys.ready);
      await topology.open([...all, shared.key, keys.values], signal);
      const opened = await checkAll({
        options,
        topology,
        checks,
        foreign,
        links: [...queues.values()].map(({ link }) => link),
        sharedKey: shared.key,
        records: keys,
        log,
      });
      blocks = opened.blocks;
      const { mayPublish } = opened;
      if (!mayPublish) {
        log.warn(
          "redis: this user may not PUBLISH: modes of endpoints are polled for once a second, and processes of a user that may can see this one's changes up to 30 s late",
          { channel: shared.key },
        );
      }
      shared.start(mayPublish);
      records.start(mayPublish);
      foreign.start();
      isOpen = true;
      for (const { keeper } of queues.values()) keeper.start();
    },

    async enqueue(queue, jobs) {
      try {
        const results = await enqueueJobs(queueOf(queue).link, options, jobs);
        if (results.at(-1)?.status !== "failed") suspects.delete(queue);
        return results;
      } catch (error) {
        suspects.add(queue);
        throw error;
      }
    },

    async probeWrite(queue, signal) {
      const probe = probeWrite(topology, queueOf(queue).link.keys, options, suspects.has(queue));
      await inTime(probe, signal);
    },

    async lease(queue, request) {
      const leases = await queueOf(queue).leaser.lease(request);
      foreign.noteLeased(queue, leases.length);
      return leases;
    },

    async extend(leases, leaseMs) {
      const results: ExtendResult[] = Array.from(leases, () => "lost" as const);
      const byQueue = Map.groupBy(leases.entries(), ([, lease]) => lease.queue);
      for (const [name, entries] of byQueue) {
        const { link } = queueOf(name);
        for (const part of chunk<[number, Lease]>(entries, () => 0)) {
          const tokens = part.map(([, lease]) => lease.token);
          const states = replyText((await link.call("extending", extendScript, [leaseMs, ...tokens]))[1]);
          for (const [position, [index]] of part.entries()) {
            if (states[position] === "1") results[index] = "extended";
          }
        }
      }
      return results;
    },

    settle,
    shared,
    records,
    jobs: {
      page: async (name, request) => listJobs(queueOf(name).link, request),
      find: async (name, ids) => findJobs(queueOf(name).link, ids),
      read: async (name, refs) => readJobs(queueOf(name).link, refs),
      run: async (name, refs) => changeJobs(queueOf(name).link, "run", refs),
      cancel: async (name, refs) => changeJobs(queueOf(name).link, "cancel", refs),
    },
    ranks,
    problems: () => [
      ...checks.findings(),
      ...foreign.findings(),
      ...shared.findings(),
      ...ranks.findings(),
      ...[...queues.values()].flatMap((queue) => queue.findings()),
    ],
    durable: () => checks.durability(),
    refused: refused.promise,

    async stats(name) {
      const { values } = await queueOf(name).link.evaluate("counting", statsScript, []);
      const stats = readStats(values);
      queueOf(name).leaser.sawPaused(stats.paused);
      return stats;
    },

    async parkedJobs(name) {
      return readParkedJobs(await queueOf(name).link.call("counting parked jobs", parkedScript, []));
    },

    async pause(name) {
      await queueOf(name).link.call("pausing", pauseScript, ["1"]);
      queueOf(name).pause.set(true);
    },
    async resume(name) {
      await queueOf(name).link.call("resuming", pauseScript, ["0"]);
      queueOf(name).pause.set(false);
    },

    async deadLetters(name, page) {
      return queueOf(name).deadLetters.page(page);
    },
    async deadCounts(name) {
      return queueOf(name).deadLetters.counts();
    },
    async findDead(name, ids) {
      return findDeadLetters(queueOf(name).link, ids);
    },
    async redrive(name, which) {
      return queueOf(name).deadLetters.redrive(which);
    },
    async removeDead(name, id) {
      return (await queueOf(name).deadLetters.remove([id])) === 1;
    },
    async removeManyDead(name, ids) {
      return queueOf(name).deadLetters.remove(ids);
    },

    async ping(signal) {
      for (const { link } of queues.values()) {
        const { keys } = link;
        const answer = onServer(topology, keys.ready, "ping", async (server) =>
          (await server.commands()).exists(keys.ready),
        );
        await inTime(answer, signal);
      }
      await inTime(checks.refresh(), signal);
    },

    async close() {
      ranks.close();
      foreign.close();
      shared.close();
      records.close();
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      topology.close();
    },
  };
}

/** Throws DriverUnavailableError when the signal aborts before the answer is there. */
async function inTime(answer: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const isThere = await orAborted(
    answer.then(() => true),
    signal,
  );
  if (isThere === null) throw new DriverUnavailableError("redis: no answer in time");
}
