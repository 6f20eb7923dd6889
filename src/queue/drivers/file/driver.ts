import type { Clock } from "../../../clock.ts";
import { sleep } from "../../../wait.ts";
import { DriverUnavailableError, StorageFullError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { collectGarbage } from "../../../runtime.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { DriverCapabilities, DriverEvents, QueueDriver, Settlement, SharedState } from "../../driver.ts";
import { createLocalRecords } from "../../local-records.ts";
import { createPauseNote } from "../../pause-note.ts";
import { createDeadLetters } from "../memory/dead-letters.ts";
import { createMemoryQueue } from "../memory/queue.ts";
import { createColdLine } from "./cold-line.ts";
import { createCompactHeap, createCompactLine } from "./compact-lines.ts";
import type { FileQueue } from "./file-queue.ts";
import { realFiles } from "./files.ts";
import type { Files } from "./files.ts";
import { restoreQueue } from "./restore.ts";
import { openStore } from "./store.ts";
import type { Store } from "./store.ts";

/** What the file driver is made of. */
export interface FileDriverOptions {
  readonly folder: string;
  readonly queues: readonly string[];
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncIntervalMs: number;
  readonly minFreeBytes: number;
  /** Null = as much as the disk has. */
  readonly maxBytes: number | null;
  readonly allowNetworkFs: boolean;
  /** Dead letters kept per queue; null = no limit of count. */
  readonly deadLetterRetention: number | null;
  readonly deadLetterRetentionMs: number;
  readonly deduplicationTtlMs: number;
  readonly maxPayloadBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  /** The process must end: nothing more is known of the store's files. */
  readonly fail: (error: Error) => void;
  /** For tests. */
  readonly files?: Files;
  readonly segmentBytes?: number;
  readonly slackBytes?: number;
}

/** From so many jobs on, what reading them left behind is worth a collection. */
const manyJobs = 50_000;
/** Longer than a process lives; a bound at all, so that a wrong unit is told from a long delay. */
const maxDelayMs = 366 * 24 * 3_600_000;

/**
 * Queues in this process with a journal on disk: the memory driver's lines, and files that say the same.
 *
 * What waits for the disk: enqueue, dead letters, children, redrive, removal, pauses. What does not: acks, leases,
 * retries; losing one of those in a power cut costs a double with the same `webhook-id`. Bodies stay on disk. A
 * restart finds everything again; jobs that were leased are ready, one attempt charged.
 */
export function createFileDriver(options: FileDriverOptions): QueueDriver {
  const { clock, log, events, files = realFiles } = options;
  const queues = new Map<string, FileQueue>();
  const listeners: ((values: ReadonlyMap<string, string>) => void)[] = [];
  let store: Store | null = null;
  let isClosed = false;
  let orphans: Finding[] = [];

  const capabilities: DriverCapabilities = {
    durable: true,
    dedup: true,
    fenced: true,
    refundsAttempt: true,
    exactStats: true,
    listsDeadLetters: true,
    ordersGroups: false,
    maxBatch: 10_000,
    maxPayloadBytes: options.maxPayloadBytes,
    maxDelayMs,
    pauseScope: "process",
  };

  const openedStore = (): Store => {
    if (isClosed || store === null) throw new DriverUnavailableError("the file driver is not open");
    return store;
  };

  const find = (name: string): FileQueue => {
    openedStore();
    const queue = queues.get(name);
    if (queue === undefined || !options.queues.includes(name))
      throw new Error(`the file driver has no queue "${name}"`);
    return queue;
  };

  /** What of the disk the dead letters may come to take. */
  const fill = (letters: number, bytes: number) => {
    const room = options.maxBytes ?? (store === null ? Infinity : store.bytes() + store.space.freeBytes);
    return {
      share: bytes / room,
      usage: `${letters} dead letters take ${inMebibytes(bytes)} of ${inMebibytes(room)} MiB`,
    };
  };

  const createQueue = (name: string, opened: Store): FileQueue => {
    const keeper = opened.keeper(name);
    const line = createColdLine();
    const { states } = opened.recovered;
    const places = {
      untried: line,
      createLine: () => createCompactLine(states),
      createHeap: () => createCompactHeap(states),
    };
    const shelfLimits = {
      maxLetters: options.deadLetterRetention ?? Infinity,
      maxBytes: Infinity,
      maxAgeMs: options.deadLetterRetentionMs,
    };
    const dead = createDeadLetters(name, { limits: shelfLimits, fill, clock, log, events }, keeper);
    const limits = {
      ...options,
      capacity: Infinity,
      listing: { mark: "f", mostLookedAt: 10_000 },
      whenFull: "reject",
      maxDelayMs,
      driver: "file",
    } as const;
    const pause = createPauseNote(name, { clock, log });
    const queue = Object.assign(createMemoryQueue(name, { ...limits, pause, places }, dead, keeper), {
      name,
      dead,
      line,
      pause,
    });
    queues.set(name, queue);
    restoreQueue(queue, opened, keeper, clock);
    return queue;
  };

  const refusal = (): Error | null => {
    const reason = store?.space.refusal ?? null;
    return reason === null
      ? null
      : new StorageFullError(`${reason}: make room, or wait until jobs are delivered`);
  };

  const findOrphans = (): Finding[] =>
    [...queues.values()].flatMap(({ name, ...queue }): Finding[] => {
      if (options.queues.includes(name)) return [];
      const { ready, delayed, parked, dead } = queue.stats();
      const waiting = (ready ?? 0) + (delayed ?? 0) + (parked ?? 0);
      if (waiting + (dead ?? 0) === 0) return [];
      const detail = `${waiting} jobs and ${dead} dead letters of queue ${name} lie in the store, but queue.queues does not name it`;
      log.warn(`${detail}; they stay`, { queue: name });
      return [{ kind: "undrained_jobs", object: name, since: clock.now(), detail }];
    });

  const shared: SharedState = {
    all: async () => new Map(openedStore().shared),
    async set(key, value) {
      const opened = openedStore();
      opened.setShared(key, value);
      await opened.journal.safe();
      const values = new Map(opened.shared);
      for (const listener of listeners) listener(values);
    },
    onChange: (listener) => void listeners.push(listener),
  };

  const records = createLocalRecords(clock, {
    durable: true,
    requireRoom() {
      const refused = refusal();
      if (refused !== null) throw refused;
    },
    async keep(record, dropped) {
      const { stored, journal } = openedStore();
      stored.keep(record, dropped);
      await journal.safe();
    },
  });

  /** The answer, once what led to it is on disk. */
  const settled = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer;
    await openedStore().journal.safe();
    return value;
  };

  return {
    name: "file",
    capabilities,
    shared,
    records,
    durable: () => (store?.isVolatile === true ? false : options.fsync === "always" ? true : "process"),
    async open() {
      const started = clock.monotonic();
      const opened = await openStore({
        ...options,
        files,
        dedupTtlMs: options.deduplicationTtlMs,
        isKept: (number, key, id) => queueOf(opened, number)?.findDedup(key)?.id === id,
        onFailure: options.fail,
      });
      store = opened;
      const isLarge = opened.recovered.locations.size > manyJobs;
      if (isLarge) collectGarbage();
      for (const name of new Set([...opened.queues(), ...options.queues])) createQueue(name, opened);
      const stored = [...opened.recovered.stored.values()];
      records.restore(stored);
      opened.recovered.cold.clear();
      opened.recovered.letters.clear();
      if (isLarge) collectGarbage();
      opened.recovered.stored.clear();
      orphans = findOrphans();
      await opened.journal.safe();
      log.info("the store is open", {
        folder: options.folder,
        jobs: opened.recovered.locations.size - stored.length,
        ms: Math.round(clock.monotonic() - started),
      });
      const values = new Map(opened.shared);
      for (const listener of listeners) listener(values);
    },
    async enqueue(queue, jobs) {
      const target = find(queue);
      const { journal } = openedStore();
      const refused = refusal();
      if (refused !== null) return jobs.map(({ id }) => ({ status: "failed", id, error: refused }));
      await journal.room();
      const results = target.enqueue(jobs);
      await journal.safe();
      return results;
    },
    async probeWrite() {
      openedStore();
      const refused = refusal();
      if (refused !== null) throw refused;
    },
    async lease(queue, wish) {
      const target = find(queue);
      if (openedStore().space.isStuck) {
        // What is leased now could not be acked.
        await sleep(Math.min(wish.waitMs, 500), wish.signal);
        return [];
      }
      return target.lease(wish);
    },
    extend: async (leases, leaseMs) => leases.map(({ queue, token }) => find(queue).extend(token, leaseMs)),
    async settle(settlements) {
      const { journal } = openedStore();
      const touched = new Set<FileQueue>();
      const results = settlements.map((settlement) => {
        const queue = find(settlement.lease.queue);
        touched.add(queue);
        return queue.settle(settlement);
      });
      for (const queue of touched) queue.wake();
      if (settlements.some(isAwaited)) await journal.safe();
      return results;
    },
    stats: async (queue) => find(queue).stats(),
    parkedJobs: async (queue) => find(queue).parkedJobs(),
    jobs: {
      page: async (queue, request) => find(queue).lists.page(request),
      find: async (queue, ids) => find(queue).lists.find(ids),
      read: async (queue, refs) => find(queue).lists.read(refs),
      run: (queue, refs) => settled(find(queue).lists.run(refs)),
      cancel: (queue, refs) => settled(find(queue).lists.cancel(refs)),
    },
    async pause(queue) {
      find(queue).setPaused(true);
      openedStore().setPaused(queue, true);
      await openedStore().journal.safe();
    },
    async resume(queue) {
      find(queue).setPaused(false);
      openedStore().setPaused(queue, false);
      await openedStore().journal.safe();
    },
    deadLetters: async (queue, page) => find(queue).dead.page(page),
    deadCounts: async (queue) => find(queue).dead.counts(),
    findDead: async (queue, ids) => find(queue).dead.findAll(ids),
    async redrive(queue, which) {
      const redriven = find(queue).redrive(which);
      await openedStore().journal.safe();
      return redriven;
    },
    async removeManyDead(queue, ids) {
      const removed = find(queue).dead.removeMany(ids);
      await openedStore().journal.safe();
      return removed;
    },
    async removeDead(queue, id) {
      const isRemoved = find(queue).dead.remove(id);
      await openedStore().journal.safe();
      return isRemoved;
    },
    problems: () => [
      ...orphans,
      ...(store?.space.findings(options.queues) ?? []),
      ...[...queues.values()].flatMap(({ dead, pause }) => [dead.finding() ?? [], pause.findings()].flat()),
    ],
    async ping() {
      openedStore();
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      for (const queue of queues.values()) queue.close();
      await store?.close();
    },
  };

  function queueOf(opened: Store, number: number): FileQueue | undefined {
    return [...queues.values()].find(({ name }) => opened.numberOf(name) === number);
  }
}

/** Losing the others costs a double with the same webhook-id, and no more. */
function isAwaited({ verb }: Settlement): boolean {
  return verb === "dead" || verb === "replace";
}

function inMebibytes(bytes: number): string {
  return bytes === Infinity ? "any number of" : (bytes / (1024 * 1024)).toFixed(1);
}
