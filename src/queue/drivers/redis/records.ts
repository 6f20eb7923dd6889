import { Buffer } from "node:buffer";
import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import { tombstoneMs } from "../../records.ts";
import type { RecordChanges, RecordListener, RecordStore, StoredRecord } from "../../records.ts";
import { scriptFault, translateError } from "./errors.ts";
import { evaluate, replyList, replyText } from "./evaluate.ts";
import type { ScriptArgument, ScriptReply } from "./evaluate.ts";
import type { RecordKeys } from "./keys.ts";
import { readRecordsScript, writeRecordScript } from "./record-scripts.ts";
import type { Script } from "./script.ts";
import type { RedisServer } from "./server.ts";
import type { Subscription } from "./subscriptions.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/**
 * The records that all processes under one prefix see, in one slot (keys.ts, `recordKeys`); the hash's name is also the
 * channel that tells of every write.
 *
 * Listeners are told at every message, whenever hearing begins anew (`lost`: messages may have been missed, and the
 * server may be another one), once a second while messages are not heard or where this user may not publish, and every
 * 30 seconds in any case.
 */
export interface RedisRecords extends RecordStore {
  readonly keys: RecordKeys;
  /** To be called when the topology is open. */
  start(mayPublish: boolean): void;
  close(): void;
}

export interface RedisRecordsOptions {
  readonly keys: RecordKeys;
  readonly topology: Topology;
  readonly clock: Clock;
  readonly log: Logger;
}

const tickMs = 1_000;
const certainTellMs = 30_000;

export function createRedisRecords({ keys, topology, clock }: RedisRecordsOptions): RedisRecords {
  const listeners: RecordListener[] = [];
  let mayPublish = true;
  let attached: { server: RedisServer; subscription: Subscription } | null = null;
  let toldAt = clock.monotonic();
  let timer: ReturnType<typeof setInterval> | undefined;
  let closed = false;

  const tell: RecordListener = (why, revision) => {
    toldAt = clock.monotonic();
    if (!closed) for (const listener of listeners) listener(why, revision);
  };

  const attach = (server: RedisServer): void => {
    if (closed || listeners.length === 0 || attached?.server === server) return;
    attached?.subscription.stop();
    attached = {
      server,
      subscription: server.subscribe([keys.values], (event) => {
        if (event === "missed") tell("lost");
        else tell("changed", Number(event.message) || undefined);
      }),
    };
  };

  const onItsServer = <T>(what: string, use: (server: RedisServer) => Promise<T>): Promise<T> =>
    onServer(topology, keys.values, what, (server) => {
      attach(server);
      return use(server);
    });

  const run = async (
    what: string,
    script: Script,
    args: readonly ScriptArgument[],
  ): Promise<readonly ScriptReply[]> => {
    const reply = await onItsServer(what, async (server) =>
      evaluate(await server.commands(), script, keys.all, args),
    );
    const values = replyList(reply);
    const failure = replyText(values[0]);
    if (failure !== "") throw translateError(scriptFault(failure), what);
    return values;
  };

  const tick = (): void => {
    const isTold = mayPublish && attached?.subscription.isHeard === true;
    if (!isTold || clock.monotonic() - toldAt >= certainTellMs) tell("changed");
  };

  return {
    keys,
    durable: true,
    isShared: true,

    async changes(after, limit) {
      const values = await run("reading stored apps", readRecordsScript, [after, limit]);
      return readChanges(values, limit);
    },

    async revisions() {
      const reply = await onItsServer("reading stored apps", async (server) =>
        (await server.commands()).callBuffer("ZRANGE", keys.revisions, 0, -1, "WITHSCORES"),
      );
      return new Map(pairsOf(reply as ScriptReply));
    },

    async write(key, value, seen) {
      const args = [key, seen, tombstoneMs, ...(value === null ? [] : [Buffer.from(value)])];
      const [, status, revision, published] = await run("storing an app", writeRecordScript, args);
      if (published === 0) mayPublish = false;
      if (replyText(status) === "behind") return { status: "behind", revision: numberOf(revision) };
      return { status: "written", revision: numberOf(revision) };
    },

    onChange: (listener) => void listeners.push(listener),

    start(publishes) {
      if (timer !== undefined || closed) return;
      mayPublish = publishes;
      timer = setInterval(tick, tickMs);
      tell("changed");
    },

    close() {
      closed = true;
      clearInterval(timer);
      attached?.subscription.stop();
    },
  };
}

function numberOf(reply: ScriptReply | undefined): number {
  return Number(replyText(reply));
}

/** Keys with revisions; one that is no number counts as 0, so that it is passed over. */
function pairsOf(reply: ScriptReply | undefined): [key: string, revision: number][] {
  const texts = replyList(reply).map(replyText);
  const pairs: [string, number][] = [];
  for (let at = 0; at + 1 < texts.length; at += 2) {
    const revision = Number(texts[at + 1]);
    pairs.push([texts[at] as string, Number.isSafeInteger(revision) ? revision : 0]);
  }
  return pairs;
}

function readChanges([, known, live, values, gone]: readonly ScriptReply[], limit: number): RecordChanges {
  const present = pairsOf(live);
  const absent = pairsOf(gone);
  const stored = replyList(values);
  // Behind the end of a list that was cut there may be others.
  const ends = [present, absent].filter((list) => list.length === limit).map((list) => list.at(-1)?.[1] ?? 0);
  const end = Math.min(Infinity, ...ends);
  const records = new Map<string, StoredRecord>();
  const add = (key: string, revision: number, value: Uint8Array | null): void => {
    if (revision <= end && revision > (records.get(key)?.revision ?? 0))
      records.set(key, { key, revision, value });
  };
  for (const [at, [key, revision]] of present.entries())
    add(key, revision, (stored[at] ?? null) as Buffer | null);
  for (const [key, revision] of absent) add(key, revision, null);
  return {
    records: [...records.values()].sort((one, other) => one.revision - other.revision),
    revision: numberOf(known),
    more: ends.length > 0,
  };
}
