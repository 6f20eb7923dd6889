import type { Clock } from "../../../clock.ts";
import { DriverUnavailableError, QueueBrokenError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { SharedState } from "../../driver.ts";
import { evaluate, replyList, replyText } from "./evaluate.ts";
import type { ScriptReply } from "./evaluate.ts";
import { plainScript } from "./script.ts";
import type { RedisServer } from "./server.ts";
import type { Subscription } from "./subscriptions.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/**
 * The values that all processes under one prefix see: one hash (keys.ts, `sharedKey`), and a channel of its name
 * that tells of every change.
 *
 * A *look* reads the whole hash. One is on its way at a time, and what it finds is told to the listeners
 * before the next is sent, so that what they get never goes back in time. There is a look
 * - at `start`, after every `set` of this process, and for everyone who asks for `all`;
 * - at every message, and whenever hearing begins anew, because messages may have been missed;
 * - once a second while messages are not heard (no right to subscribe, a connection being made), while looks
 *   fail, or where this user may not publish, and so probably no other process may either;
 * - every 30 seconds in any case, for a server that hangs without its connection being closed.
 *
 * A process that hears sends nothing else, and one where nobody listens sends nothing at all.
 *
 * What Redis takes back (a failover that loses the last writes, a restart without persistence) is taken back
 * here too: the backend has the word.
 */
export interface RedisSharedState extends SharedState {
  /** The hash, which the topology must be opened with; see keys.ts, `sharedKey`. */
  readonly key: string;
  /** The first look, and all that follow from it; to be called when the topology is open. */
  start(mayPublish: boolean): void;
  /** That it cannot be read; null while it can. */
  findings(): Finding[];
  close(): void;
}

export interface SharedStateOptions {
  readonly key: string;
  readonly topology: Topology;
  readonly clock: Clock;
  readonly log: Logger;
}

type Values = ReadonlyMap<string, string>;

const tickMs = 1_000;
const certainLookMs = 30_000;

/**
 * Sets a field of the hash, or removes it where there is no value, and tells so. ARGV: field, value or
 * nothing. Answers 0 when the user may not publish, which must not fail what was written before, else 1.
 *
 * HDEL of a field that is never there goes first because it needs no memory: with memory full Redis refuses a script as a
 * whole by its first write only, and pausing an endpoint must work then too. The value itself is never removed
 * before the new one is there.
 */
export const setScript = plainScript(
  "share",
  `
redis.call('HDEL', KEYS[1], '\\0 a field that nobody sets')
if ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
elseif redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 1
end
local heard = redis.pcall('PUBLISH', KEYS[1], '')
return type(heard) == 'number' and 1 or 0
`,
);

/** See RedisSharedState. */
export function createSharedState(options: SharedStateOptions): RedisSharedState {
  const { key, topology, clock, log } = options;
  const listeners: ((values: Values) => void)[] = [];
  /** Sets of this process that have resolved. */
  let sets = 0;
  /** The look on its way, and the one that begins when it has ended. */
  let current: Promise<Values> | null = null;
  let next: Promise<Values> | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let trouble: Finding | null = null;
  let mayPublish = true;
  let attached: { server: RedisServer; subscription: Subscription } | null = null;
  let timer: ReturnType<typeof setInterval> | undefined;
  let started = false;
  let closed = false;

  const attach = (server: RedisServer): void => {
    if (closed || listeners.length === 0 || attached?.server === server) return;
    attached?.subscription.stop();
    attached = { server, subscription: server.subscribe([key], lookSoon) };
  };

  const onItsServer = <T>(what: string, use: (server: RedisServer) => Promise<T>): Promise<T> =>
    onServer(topology, key, what, (server) => {
      attach(server);
      return use(server);
    });

  /** Reads again where a set has resolved meanwhile: the answer may be older. */
  const read = async (): Promise<Values> => {
    for (;;) {
      const before = sets;
      const reply = await onItsServer("reading the shared values", async (server) =>
        (await server.commands()).callBuffer("HGETALL", key),
      );
      if (sets === before) return readValues(reply as ScriptReply);
    }
  };

  /**
   * What somebody must mend is told at once, a server that does not answer from the second time on. On a single
   * server that is told by the queues, too; of a cluster it may be a node that holds no queue.
   */
  const meet = (error: unknown): void => {
    if (!(error instanceof QueueBrokenError) && failures < 2) return;
    if (trouble === null) log.warn("redis: what processes share cannot be read", { key, error });
    const detail = error instanceof Error ? error.message : String(error);
    const since = trouble?.since ?? clock.now();
    trouble = { kind: "shared_state_broken", object: "", since, detail: `${key}: ${detail}`.slice(0, 500) };
  };

  const endTrouble = (): void => {
    if (trouble === null) return;
    trouble = null;
    log.info("redis: what processes share can be read again", { key });
  };

  const readAndTell = async (): Promise<Values> => {
    try {
      const values = await read();
      failures = 0;
      endTrouble();
      if (!closed) for (const listener of listeners) listener(values);
      return values;
    } catch (error) {
      failures += 1;
      if (!closed) meet(error);
      throw error;
    } finally {
      lookedAt = clock.monotonic();
    }
  };

  /** A look that is sent after this call. Those who ask before it is sent share it. */
  const look = (): Promise<Values> => {
    if (next !== null) return next;
    const turn = current === null ? Promise.resolve() : current.then(ignore, ignore);
    const mine = turn.then(() => {
      current = mine;
      next = null;
      if (closed) throw new DriverUnavailableError("redis: the driver is closed");
      return readAndTell();
    });
    const end = (): void => {
      if (current === mine) current = null;
    };
    mine.then(end, end);
    next = mine;
    return mine;
  };

  /** For the listeners; a look that fails is followed by another at the next tick. */
  const lookSoon = (): void => {
    if (started && !closed && listeners.length > 0) look().catch(ignore);
  };

  const tick = (): void => {
    if (current !== null || next !== null) return;
    const isTold = mayPublish && attached?.subscription.isHeard === true;
    if (failures > 0 || !isTold || clock.monotonic() - lookedAt >= certainLookMs) lookSoon();
  };

  return {
    key,

    async all() {
      for (;;) {
        const before = sets;
        const values = await look();
        // A set may have resolved between the answer and here.
        if (sets === before) return values;
      }
    },

    async set(field, value) {
      const args = value === null ? [field] : [field, value];
      const setting = onItsServer("sharing a value", async (server) =>
        evaluate(await server.commands(), setScript, [key], args),
      );
      // Whether it can be read either is seen at once.
      setting.catch(lookSoon);
      const published = await setting;
      sets += 1;
      if (published === 0) mayPublish = false;
      lookSoon();
    },

    onChange(listener) {
      listeners.push(listener);
      lookSoon();
    },

    start(publishes) {
      if (started || closed) return;
      mayPublish = publishes;
      started = true;
      timer = setInterval(tick, tickMs);
      lookSoon();
    },

    findings: () => (trouble === null ? [] : [trouble]),

    close() {
      closed = true;
      clearInterval(timer);
      attached?.subscription.stop();
    },
  };
}

function ignore(): void {}

/** HGETALL's answer: fields and values in turns. */
function readValues(reply: ScriptReply): Values {
  const texts = replyList(reply).map(replyText);
  const values = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length; at += 2) values.set(texts[at] as string, texts[at + 1] as string);
  return values;
}
