import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { SettleResult, Settlement } from "../../driver.ts";
import { createPauseNote, type PauseNote } from "../../pause-note.ts";
import { createLeaser } from "./leaser.ts";
import type { Leaser } from "./leaser.ts";
import { createDeadKeeper, readMemory, usualDeadLooks } from "./dead-keeper.ts";
import type { DeadKeeper } from "./dead-keeper.ts";
import { createDeadLetters } from "./dead-letters.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { examineQueue } from "./examination.ts";
import { queueKeys } from "./keys.ts";
import type { RedisDriverContext, RedisDriverOptions } from "./options.ts";
import { createQueueLink } from "./queue-link.ts";
import type { QueueLink } from "./queue-link.ts";
import { createQueueTrouble } from "./queue-trouble.ts";
import type { createRanks } from "./ranks.ts";
import { settleLeases } from "./settle.ts";
import type { Settle } from "./settling.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** One queue: the way to its server, its taking side, its dead letters, and what is wrong with it. */
export interface RedisQueue {
  readonly link: QueueLink;
  readonly leaser: Leaser;
  readonly pause: PauseNote;
  readonly deadLetters: DeadLetters;
  readonly keeper: DeadKeeper;
  /** Ends leases of this queue; see settleLeases. */
  settle(settlements: readonly Settlement[]): Promise<SettleResult[]>;
  findings(): Finding[];
  close(): Promise<unknown>;
}

export interface RedisQueueOptions {
  readonly options: RedisDriverOptions;
  readonly context: RedisDriverContext;
  readonly topology: Topology;
  readonly log: Logger;
  /** This process' name among the waiters. */
  readonly process: string;
  readonly blocks: () => boolean;
  readonly ranks: ReturnType<typeof createRanks>;
  /** The driver's, to give leases back that nobody waits for. */
  readonly settle: Settle;
}

export function createRedisQueue(name: string, parts: RedisQueueOptions): RedisQueue {
  const { options, context, topology, log } = parts;
  const { clock, events } = context;
  const keys = queueKeys(options.prefix, name);
  const pause = createPauseNote(name, { clock, log });
  const examine = (): Promise<string | null> => examineQueue(topology, keys);
  const trouble = createQueueTrouble({ queue: name, clock, log, examine });
  const link = createQueueLink(topology, name, keys, trouble);
  parts.ranks.add(link);
  const onTrimmed = (count: number): void => events.trimmed(name, count);
  const leaser = createLeaser({
    link,
    pause,
    process: parts.process,
    log,
    clock,
    events,
    requestTimeoutMs: options.requestTimeoutMs,
    blocks: parts.blocks,
    rank: parts.ranks.of(name),
    release: (leases) => parts.settle(leases.map((lease) => ({ verb: "release", lease }))),
  });
  const deadLetters = createDeadLetters(link);
  const keeper = createDeadKeeper({
    link,
    log,
    letters: deadLetters,
    looks: { ...usualDeadLooks(), ...options.deadLooks },
    clock,
    retention: options.deadLetterRetention,
    retentionMs: options.deadLetterRetentionMs,
    onTrimmed,
    memory: async () => {
      const info = onServer(topology, keys.ready, "asking for the memory", async (server) =>
        (await server.commands()).info("memory"),
      );
      return readMemory(await info.catch(() => ""));
    },
  });

  return {
    link,
    leaser,
    pause,
    deadLetters,
    keeper,
    async settle(settlements) {
      const results = await settleLeases(link, options.deadLetterRetention, settlements, onTrimmed);
      for (const settlement of settlements) {
        if (settlement.verb === "park") leaser.noteParked(settlement.key);
        else if (settlement.verb === "retry") leaser.noteDue(settlement.delayMs);
      }
      return results;
    },
    findings: () => [leaser, trouble, keeper, pause].flatMap((part) => [...part.findings()]),
    close() {
      trouble.close();
      return Promise.all([leaser.close(), keeper.close()]);
    },
  };
}
