import { sleep } from "../../../wait.ts";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { countDeadScript, tidyScript } from "./dead-scripts.ts";
import type { DeadLooks } from "./options.ts";
import type { QueueLink } from "./queue-link.ts";

/**
 * Looks after one queue's dead letters, soon after the start and then once a minute: removes what retention does not keep, counts what nobody has counted
 * (dead-part.ts), and sees whether the room for them runs out.
 */
export interface DeadKeeper {
  /** Begins to wait for the first look. */
  start(): void;
  findings(): readonly Finding[];
  close(): Promise<void>;
}

export function usualDeadLooks(): DeadLooks {
  return { firstMs: 1_000 + Math.random() * 1_000, everyMs: 60_000, recountMs: 600_000 };
}

export interface DeadKeeperOptions {
  readonly link: QueueLink;
  readonly letters: DeadLetters;
  readonly clock: Clock;
  readonly log: Logger;
  readonly retention: number;
  readonly retentionMs: number;
  /** What Redis' memory holds and may hold; null where it has no limit, or this user may not ask. */
  readonly memory: () => Promise<Memory | null>;
  /** Told how many letters were removed. */
  readonly onTrimmed: (count: number) => void;
  readonly looks: DeadLooks;
}

/** Between two steps of a scan or a removal, so that Redis serves others for most of the time. */
const stepPauseMs = 50;
const stepLetters = 200;
const stepBytes = 4 * 1024 * 1024;
const fullShare = 0.8;

/** What Redis' memory holds, of how much it may. */
export interface Memory {
  readonly used: number;
  readonly most: number;
}

export function createDeadKeeper(options: DeadKeeperOptions): DeadKeeper {
  const { link, letters, clock, log, looks } = options;
  const { queue } = link;
  const closing = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let filling: Finding | null = null;

  /** Removes a step at a time; answers the last step's figures. */
  const tidy = async (): Promise<{ complete: boolean; count: number; bytes: number }> => {
    for (;;) {
      const [, trimmed, more, complete, count, bytes] = (
        await link.call("looking after dead letters", tidyScript, [options.retention, options.retentionMs])
      ).map(Number) as [number, number, number, number, number, number];
      if (trimmed > 0) options.onTrimmed(trimmed);
      if (more !== 1 || closing.signal.aborted) return { complete: complete === 1, count, bytes };
      await sleep(stepPauseMs, closing.signal);
    }
  };

  const countAll = async (): Promise<void> => {
    const args = [stepLetters, stepBytes, looks.recountMs];
    for (;;) {
      const [, done] = await link.call("looking after dead letters", countDeadScript, args);
      if (done === 1 || closing.signal.aborted) return;
      await sleep(stepPauseMs, closing.signal);
    }
  };

  const judge = async (memory: Memory | null, count: number, bytes: number): Promise<void> => {
    const isFull = memory !== null && count > 0 && memory.used >= memory.most * fullShare;
    if (!isFull) {
      if (filling !== null) log.info("redis: dead letters leave room again", { queue, dead: count });
      filling = null;
      return;
    }
    const percent = Math.round((100 * memory.used) / memory.most);
    const detail = `Redis uses ${percent} % of its maxmemory; the ${count} dead letters of this queue take ${bytes} bytes of it`;
    if (filling === null) {
      const { groups } = await letters.counts();
      const byEndpoint = new Map<string, number>();
      for (const { endpoint, count: some } of groups)
        byEndpoint.set(endpoint ?? "none", (byEndpoint.get(endpoint ?? "none") ?? 0) + some);
      const most = [...byEndpoint].sort(([, one], [, other]) => other - one).slice(0, 5);
      log.warn("redis: dead letters fill the memory: mend the endpoints with most, then redrive or remove", {
        queue,
        memory_percent: percent,
        dead: count,
        dead_bytes: bytes,
        endpoints: most.map(([endpoint, some]) => `${endpoint}: ${some}`),
      });
    }
    filling = { kind: "dead_letters_fill", object: queue, since: filling?.since ?? clock.now(), detail };
  };

  const look = async (): Promise<void> => {
    const { complete, count, bytes } = await tidy();
    if (!complete) await countAll();
    await judge(await options.memory(), count, complete ? bytes : (await letters.counts()).bytes);
  };

  const run = async (): Promise<void> => {
    await sleep(looks.firstMs, closing.signal);
    while (!closing.signal.aborted) {
      await look().catch((error: unknown) =>
        log.debug("redis: dead letters could not be looked after", { queue, error }),
      );
      await sleep(looks.everyMs, closing.signal);
    }
  };

  return {
    start() {
      running = run();
    },
    findings: () => (filling === null ? [] : [filling]),
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** Reads INFO's answer; null where Redis has no limit. */
export function readMemory(info: string): Memory | null {
  const read = (field: string): number =>
    Number(new RegExp(`^${field}:(\\d{1,19})\\r?$`, "m").exec(info)?.[1] ?? 0);
  const most = read("maxmemory");
  return most > 0 ? { used: read("used_memory"), most } : null;
}
