import { DriverUnavailableError, type ConfigError } from "../../../errors.ts";
import type {
  DriverCapabilities,
  ExtendResult,
  Lease,
  ParkedJobs,
  QueueDriver,
  SettleResult,
  Settlement,
} from "../../driver.ts";
import { createPauseNote, type PauseNote } from "../../pause-note.ts";
import { createConsumer } from "./consumer.ts";
import type { Consumer } from "./consumer.ts";
import { createDeadKeeper, readMemory, usualDeadLooks } from "./dead-keeper.ts";
import type { DeadKeeper } from "./dead-keeper.ts";
import { createDeadLetters } from "./dead-letters.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { enqueueJobs } from "./enqueue.ts";
import { configProblem } from "./errors.ts";
import { replyText } from "./evaluate.ts";
import { examineQueue } from "./examination.ts";
import { createForeignJobs } from "./foreign-jobs.ts";
import { hashTagProblem, queueKeys, sharedKey } from "./keys.ts";
import { chunk, maxBatch, maxDelayMs, maxPayloadBytes } from "./limits.ts";
import { randomName } from "./look.ts";
import type { RedisDriverContext, RedisDriverOptions } from "./options.ts";
import { checkPermissions, checkSharedPermissions } from "./permissions.ts";
import { createQueueLink } from "./queue-link.ts";
import type { QueueLink } from "./queue-link.ts";
import { createQueueTrouble } from "./queue-trouble.ts";
import type { QueueTrouble } from "./queue-trouble.ts";
import { extendScript } from "./settle-script.ts";
import { parkedScript, pauseScript, statsScript } from "./queue-scripts.ts";
import { settleLeases } from "./settle.ts";
import { readStats } from "./stats.ts";
import { createSharedState } from "./shared-state.ts";
import { createServerChecks } from "./server-checks.ts";
import { checkQueue, checkServer } from "./start-checks.ts";
import { createTopology, onServer } from "./topology.ts";
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

interface RedisQueue {
  readonly link: QueueLink;
  readonly trouble: QueueTrouble;
  readonly consumer: Consumer;
  readonly pause: PauseNote;
  readonly deadLetters: DeadLetters;
  readonly keeper: DeadKeeper;
}

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
  /** Tokens settled by a call of which another part failed: the repetition is told so, not `lost`. */
  const confirmed = new Set<string>();
  /** Queues whose last enqueue failed. */
  const suspects = new Set<string>();
  let blocks = true;
  const shared = createSharedState({ key: sharedKey(options.prefix), topology, clock: context.clock, log });

  const queueOf = (name: string): RedisQueue => {
    const queue = queues.get(name);
    if (queue === undefined) throw new Error(`redis: the queue "${name}" is not configured`);
    return queue;
  };

  const settleOfQueue = async (name: string, settlements: readonly Settlement[]): Promise<SettleResult[]> => {
    const { link, consumer } = queueOf(name);
    const onTrimmed = (count: number): void => context.events.trimmed(name, count);
    const results = await settleLeases(link, options.deadLetterRetention, settlements, onTrimmed);
    for (const settlement of settlements) {
      if (settlement.verb === "park") consumer.noteParked(settlement.key);
      else if (settlement.verb === "retry") consumer.noteDue(settlement.delayMs);
    }
    return results;
  };

  const settle = async (settlements: readonly Settlement[]): Promise<SettleResult[]> => {
    const first = settlements[0]?.lease.queue;
    if (first === undefined) return [];
    if (settlements.every(({ lease }) => lease.queue === first)) {
      return confirm(settlements, await settleOfQueue(first, settlements));
    }
    const results: SettleResult[] = [];
    const byQueue = Map.groupBy(settlements.entries(), ([, { lease }]) => lease.queue);
    const calls = [...byQueue].map(async ([name, entries]) => {
      const answers = await settleOfQueue(
        name,
        entries.map(([, settlement]) => settlement),
      );
      for (const [position, [index]] of entries.entries()) results[index] = answers[position] as SettleResult;
    });
    await Promise.all(calls);
    return confirm(settlements, results);
  };

  /**
   * A failed part means: call again. When all parts failed, the error says so; else everything is to be
   * called again as well, so that no lease is left to run out, and what was settled is remembered.
   */
  const confirm = (settlements: readonly Settlement[], results: SettleResult[]): SettleResult[] => {
    const failed = results.find(({ status }) => status === "failed");
    if (failed === undefined && confirmed.size === 0) return results;
    const answers = settlements.map(({ lease }, index): SettleResult => {
      const result = results[index] as SettleResult;
      return result.status === "lost" && confirmed.has(lease.token) ? { status: "settled" } : result;
    });
    for (const [index, { lease }] of settlements.entries()) {
      if (failed === undefined) confirmed.delete(lease.token);
      else if (answers[index]?.status === "settled") confirmed.add(lease.token);
    }
    if (failed?.status === "failed") throw failed.error;
    return answers;
  };

  for (const name of options.queues) {
    const keys = queueKeys(options.prefix, name);
    const pause = createPauseNote(name, { clock: context.clock, log });
    const trouble = createQueueTrouble({
      queue: name,
      clock: context.clock,
      log,
      examine: () => examineQueue(topology, keys),
    });
    const link = createQueueLink(topology, name, keys, trouble);
    const consumer = createConsumer({
      link,
      pause,
      process,
      log,
      clock: context.clock,
      events: context.events,
      requestTimeoutMs: options.requestTimeoutMs,
      blocks: () => blocks,
      release: (leases) => settle(leases.map((lease) => ({ verb: "release", lease }))),
    });
    const deadLetters = createDeadLetters(link);
    const keeper = createDeadKeeper({
      link,
      log,
      letters: deadLetters,
      looks: { ...usualDeadLooks(), ...options.deadLooks },
      clock: context.clock,
      retention: options.deadLetterRetention,
      retentionMs: options.deadLetterRetentionMs,
      onTrimmed: (count) => context.events.trimmed(name, count),
      memory: async () => {
        const info = onServer(topology, keys.ready, "asking for the memory", async (server) =>
          (await server.commands()).info("memory"),
        );
        return readMemory(await info.catch(() => ""));
      },
    });
    queues.set(name, { link, trouble, consumer, pause, deadLetters, keeper });
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
      await topology.open([...all, shared.key], signal);
      const checked = new Set<string>();
      for (const [name, { link }] of queues) {
        const { keys } = link;
        await onServer(topology, keys.ready, "checking the server", async (server) => {
          if (checked.has(server.label)) return;
          const facts = await checks.look(server);
          blocks = checkServer(facts, server.label, options, log).blocks && blocks;
          checked.add(server.label);
        });
        await checkPermissions(topology, keys, options, blocks);
        const { isEmpty } = await checkQueue(topology, keys, options);
        if (isEmpty) await foreign.lookBeside(name);
      }
      const mayPublish = await checkSharedPermissions(topology, shared.key, options);
      if (!mayPublish) {
        log.warn(
          "redis: this user may not PUBLISH: modes of endpoints are polled for once a second, and processes of a user that may can see this one's changes up to 30 s late",
          { channel: shared.key },
        );
      }
      shared.start(mayPublish);
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
      await untilAborted(probe, signal);
    },

    async lease(queue, wish) {
      const leases = await queueOf(queue).consumer.lease(wish);
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
    problems: () => [
      ...checks.findings(),
      ...foreign.findings(),
      ...[...queues.values()].flatMap(({ consumer, pause, trouble, keeper }) => [
        ...consumer.findings(),
        ...pause.findings(),
        ...trouble.findings(),
        ...keeper.findings(),
      ]),
    ],
    durable: () => checks.durability(),
    refused: refused.promise,

    async stats(name) {
      const { values } = await queueOf(name).link.evaluate("counting", statsScript, []);
      const stats = readStats(values);
      queueOf(name).consumer.sawPaused(stats.paused);
      return stats;
    },

    async parkedJobs(name) {
      const [, ...values] = await queueOf(name).link.call("counting", parkedScript, []);
      return Array.from({ length: values.length / 3 }, (_, index): ParkedJobs => {
        const [key, count, oldest] = values.slice(3 * index, 3 * index + 3);
        return {
          key: replyText(key),
          count: Number(count),
          oldestEnqueuedAt: Number(oldest) || null,
        };
      });
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
    async redrive(name, which) {
      return queueOf(name).deadLetters.redrive(which);
    },
    async removeDead(name, id) {
      return queueOf(name).deadLetters.remove(id);
    },

    async ping(signal) {
      for (const { link } of queues.values()) {
        const { keys } = link;
        const answer = onServer(topology, keys.ready, "ping", async (server) =>
          (await server.commands()).exists(keys.ready),
        );
        await untilAborted(answer, signal);
      }
      await untilAborted(checks.refresh(), signal);
    },

    async close() {
      foreign.close();
      shared.close();
      for (const { trouble } of queues.values()) trouble.close();
      await Promise.all(
        [...queues.values()].map(({ consumer, keeper }) => Promise.all([consumer.close(), keeper.close()])),
      );
      topology.close();
    },
  };
}

async function untilAborted(answer: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new DriverUnavailableError("redis: no answer in time"));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
