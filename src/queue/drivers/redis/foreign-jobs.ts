import type { Redis } from "ioredis";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { foreignListOf, knownLists, type ForeignList } from "./elsewhere.ts";
import { replyCode } from "./errors.ts";
import type { RedisDriverOptions } from "./options.ts";
import type { Topology } from "./topology.ts";

/**
 * Looks for jobs that lie where nothing here drains them: the other spelling of the prefix, Sockudo v5's lists,
 * BullMQ's.
 *
 * A queue that gets jobs is at the right place and is not looked beside. For an idle one the known names are looked
 * for once in a period (a minute), and the lists named `…:wait` by SCAN, a step of it five times in a period and on
 * one master at a time, with the cursor going on. A list that was found is looked at with each step until it is gone.
 */
export interface ForeignJobs {
  /** Looks for the known names beside a queue now. */
  lookBeside(queue: string): Promise<void>;
  /** Begins to look by itself. */
  start(): void;
  /** So many jobs came out of the queue. */
  noteLeased(queue: string, count: number): void;
  findings(): Finding[];
  close(): void;
}

export interface ForeignJobsOptions {
  readonly options: RedisDriverOptions;
  readonly topology: Topology;
  /** The ready list's key of each queue. */
  readonly readyKeys: ReadonlyMap<string, string>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** SCAN's own measure of one step: about so many keys are looked at, in less than a millisecond. */
const keysPerStep = 1_000;
const stepsPerPeriod = 5;
/** A queue that gives more jobs than this in a step's time is busy. */
const idleJobs = 12;
/** Bounds what many queues cost: the rest is looked at in the next period. */
const namesPerPeriod = 60;

interface Found extends ForeignList {
  readonly since: number;
  count: number;
}

export function createForeignJobs({
  options,
  topology,
  readyKeys,
  clock,
  log,
}: ForeignJobsOptions): ForeignJobs {
  const found = new Map<string, Found>();
  const known = options.queues.flatMap((beside) =>
    knownLists(options.prefix, beside).map((list) => ({ beside, list })),
  );
  const leased = new Map<string, number>();
  /** Beyond the user's key patterns, or no list: not asked for again. */
  const refused = new Set<string>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let step = 0;
  let nextName = 0;
  let running = false;
  let scan: { master: string; cursor: string } | null = null;
  let mayScan = true;

  /** How many jobs a list holds; 0 also where it may not be asked for. */
  const lengthOf = async (key: string): Promise<number> => {
    try {
      return await topology.onHolder(key, (redis) => redis.llen(key));
    } catch (error) {
      const code = replyCode(error);
      if (code === "NOPERM" || code === "WRONGTYPE") refused.add(key);
      else if (code !== "MOVED") throw error;
      return 0;
    }
  };

  const look = async (list: ForeignList): Promise<void> => {
    if (refused.has(list.key)) return;
    const count = await lengthOf(list.key);
    const before = found.get(list.key);
    if (count === 0) {
      if (!found.delete(list.key)) return;
      log.info(`redis: ${list.key} is empty now`, { queue: list.queue, key: list.key });
      return;
    }
    if (before === undefined) {
      log.warn(`redis: the ready list is empty, but ${list.key} is not: ${list.meaning}`, {
        queue: list.queue,
        key: list.key,
        jobs: count,
      });
    }
    found.set(list.key, { ...list, since: before?.since ?? clock.now(), count });
  };

  const isIdle = (queue: string): boolean => (leased.get(queue) ?? 0) <= idleJobs;

  const lookBeside = async (queue: string, lists: readonly ForeignList[]): Promise<void> => {
    const ready = readyKeys.get(queue);
    if (ready !== undefined && (await lengthOf(ready)) > 0) return;
    if (await areAllMissing(lists.map(({ key }) => key))) return;
    await Promise.all(lists.map(look));
  };

  /** One command where one server holds all keys; false where that cannot be told so. */
  const areAllMissing = async (keys: readonly string[]): Promise<boolean> => {
    const asked = keys.filter((key) => !refused.has(key));
    if (asked.length === 0) return true;
    if (options.target.mode === "cluster" || keys.some((key) => found.has(key))) return false;
    try {
      return (await topology.onHolder(asked[0] as string, (redis) => redis.exists(...asked))) === 0;
    } catch (error) {
      if (replyCode(error) === "NOPERM") return false;
      throw error;
    }
  };

  /** The known names of idle queues, in turn where there are too many. */
  const lookForNames = async (): Promise<void> => {
    const from = nextName % Math.max(known.length, 1);
    const some = [...known.slice(from), ...known.slice(0, from)].slice(0, namesPerPeriod);
    nextName = from + some.length;
    for (const [queue, names] of Map.groupBy(some, ({ beside }) => beside)) {
      if (!isIdle(queue)) continue;
      await lookBeside(
        queue,
        names.map(({ list }) => list),
      );
    }
  };

  /** One step of SCAN; at the end of one master's keys it goes on with the next one's. */
  const scanOn = async (): Promise<void> => {
    const masters = topology.masters();
    if (scan === null || !masters.includes(scan.master)) scan = { master: masters[0] ?? "", cursor: "0" };
    const { master, cursor } = scan;
    // Also where this one does not answer: it may be none any more.
    scan = { master: masters[(masters.indexOf(master) + 1) % masters.length] ?? "", cursor: "0" };
    const [next, keys] = await topology.onMaster(master, (redis) => scanStep(redis, cursor));
    if (next !== "0") scan = { master, cursor: next };
    for (const key of keys) {
      const list = foreignListOf(key, options.queues);
      if (list !== null && (list.queue === "" || isIdle(list.queue))) await look(list);
    }
  };

  const tick = async (): Promise<void> => {
    step += 1;
    for (const list of found.values()) await look(list);
    if (!options.queues.some(isIdle)) return;
    if (step % stepsPerPeriod === 1) await lookForNames();
    if (!mayScan) return;
    try {
      await scanOn();
    } catch (error) {
      const code = replyCode(error);
      if (code !== "NOPERM" && code !== "ERR") throw error;
      // Not this user's right, or before Redis 6 (TYPE): the known names remain.
      mayScan = false;
      log.debug("redis: SCAN is refused", { error });
    }
  };

  return {
    async lookBeside(queue) {
      if (options.lookForOthersMs === null) return;
      const names = known.filter(({ beside }) => beside === queue);
      await lookBeside(
        queue,
        names.map(({ list }) => list),
      );
    },
    start() {
      if (options.lookForOthersMs === null || timer !== undefined) return;
      timer = setInterval(() => {
        if (running) return;
        running = true;
        tick()
          // It is away: whoever needs it says so, and the next step comes.
          .catch((error: unknown) => log.debug("redis: the look for others failed", { error }))
          .finally(() => {
            running = false;
            leased.clear();
          });
      }, options.lookForOthersMs / stepsPerPeriod);
    },
    noteLeased(queue, count) {
      if (count > 0) leased.set(queue, (leased.get(queue) ?? 0) + count);
    },
    findings: () =>
      [...found.values()].map(({ key, queue, meaning, since, count }): Finding => ({
        kind: "undrained_jobs",
        object: queue,
        since,
        detail: `${count} in ${key}: ${meaning}`,
        openDetail: meaning,
      })),
    close: () => clearInterval(timer),
  };
}

async function scanStep(redis: Redis, cursor: string): Promise<[cursor: string, keys: string[]]> {
  const reply = await redis.call("SCAN", cursor, "MATCH", "*:wait", "COUNT", keysPerStep, "TYPE", "list");
  const [next, keys] = reply as [string, string[]];
  return [next, keys];
}
