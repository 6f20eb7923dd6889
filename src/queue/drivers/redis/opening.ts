import { QueueBrokenError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { examineKeys } from "./examination.ts";
import type { ForeignJobs } from "./foreign-jobs.ts";
import type { RecordKeys } from "./keys.ts";
import type { RedisDriverOptions } from "./options.ts";
import { checkPermissions, checkRecords, checkSharedPermissions } from "./permissions.ts";
import type { QueueLink } from "./queue-link.ts";
import type { RedisServer } from "./server.ts";
import type { ServerChecks } from "./server-checks.ts";
import { checkServer } from "./start-checks.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

export interface OpeningOptions {
  readonly options: RedisDriverOptions;
  /** Open already. */
  readonly topology: Topology;
  readonly checks: ServerChecks;
  readonly foreign: ForeignJobs;
  readonly links: readonly QueueLink[];
  /** The hash of what processes share. */
  readonly sharedKey: string;
  readonly records: RecordKeys;
  readonly log: Logger;
}

/** What the servers and the user's rights allow. */
export interface Opened {
  /** Every server has BLMOVE. */
  readonly blocks: boolean;
  /** The user may publish what processes share. */
  readonly mayPublish: boolean;
}

/**
 * Proves that the servers, the queues and what processes share can be used.
 *
 * The servers come first: one that is a replica would refuse all writes, which makes the client connect anew. All else
 * is asked at the same time, so that the number of round trips does not depend on the number of queues. Of several
 * faults the first of this order is thrown: server, queue, shared values, records.
 */
export async function checkAll(parts: OpeningOptions): Promise<Opened> {
  const { options, topology, links, log } = parts;
  const known = new Map<RedisServer, Promise<boolean>>();

  const findBlocks = async (server: RedisServer): Promise<boolean> =>
    checkServer(await parts.checks.look(server), server.label, options, log).blocks;

  const blocksOn = ({ keys }: QueueLink): Promise<boolean> =>
    onServer(topology, keys.ready, "checking the server", (server) => {
      const blocks = known.get(server) ?? findBlocks(server);
      known.set(server, blocks);
      return blocks;
    });

  const checkQueue = async (link: QueueLink, blocks: boolean): Promise<void> => {
    const { keys, queue } = link;
    // A right that is missing is named before what only follows from it.
    const [, { problem, isEmpty }] = await allInOrder([
      checkPermissions(topology, keys, options, blocks),
      onServer(topology, keys.ready, "examining the queue", (server) => examineKeys(server, keys)),
    ]);
    // The same as while running: this queue is broken, and the others work.
    if (problem !== null) link.failed("examining the queue", new QueueBrokenError(`redis: ${problem}`));
    if (isEmpty) await parts.foreign.lookBeside(queue);
  };

  const blocks = (await allInOrder(links.map(blocksOn))).every(Boolean);
  const [, mayPublish] = await allInOrder([
    allInOrder(links.map((link) => checkQueue(link, blocks))),
    checkSharedPermissions(topology, parts.sharedKey, options),
    checkRecords(topology, parts.records, options),
  ]);
  return { blocks, mayPublish };
}

/**
 * Waits for all, then throws the error of the first that failed, in the order given.
 *
 * Promise.all would throw the one that failed earliest, and leave the others under way when the next opening begins.
 */
async function allInOrder<T extends readonly unknown[]>(
  all: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const outcomes = await Promise.allSettled<unknown>(all as readonly Promise<unknown>[]);
  const values = outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
  return values as unknown as T;
}
