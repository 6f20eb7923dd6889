import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { createBell, orAborted, sleep } from "../../../wait.ts";
import type { DriverEvents, Lease, LeaseOptions } from "../../driver.ts";
import type { PauseNote } from "../../pause-note.ts";
import { maxBatch } from "./limits.ts";
import { createLookArguments, readLook } from "./look.ts";
import type { Look } from "./look.ts";
import { createPushWait } from "./push-wait.ts";
import { leaseScript } from "./lease-script.ts";
import type { Operation } from "./operation.ts";
import type { QueueLink } from "./queue-link.ts";
import { evaluate } from "./evaluate.ts";
import { leaveScript } from "./queue-scripts.ts";
import type { RedisServer } from "./server.ts";
import type { Subscription } from "./subscriptions.ts";

/**
 * The taking side of one queue: looks (one script that leases) and waits between them.
 *
 * A look that came back short of `max` has seen everything there was. From then on the queue is *drained*
 * for this process until one of these happens:
 * - a producer pushes: the blocked wait (push-wait.ts) ends;
 * - hookline writes (enqueue, release, redrive, children): the look has put this process among `:waiters` in
 *   the same step, and whoever writes wakes one of them by its channel;
 * - a due time or a lease's end that the look has told comes;
 * - the queue is paused or resumed: told on the queue's channel;
 * - a parked key that was closed is open now;
 * - four seconds pass: whatever message got lost, it costs no more than this.
 *
 * `news` counts what is heard. A look notes the count before it is sent, so that something heard while
 * its answer was on its way is never taken for seen.
 *
 * Paused, nothing is sent: the channel tells the end of it, and once a minute a look makes sure.
 */
export interface Consumer {
  lease(options: LeaseOptions): Promise<Lease[]>;
  /** This process parked jobs under a key: it looks there when the key is open. */
  noteParked(key: string): void;
  /** This process delayed a job by so much. */
  noteDue(delayMs: number): void;
  /** Somebody else's answer said whether the queue is paused; counts only where the channel does not tell. */
  sawPaused(isPaused: boolean): void;
  /** What keeps this queue from being consumed as it should. */
  findings(): Finding[];
  close(): Promise<void>;
}

export interface ConsumerOptions {
  readonly link: QueueLink;
  readonly process: string;
  readonly requestTimeoutMs: number;
  /** False on Redis before 6.2, which has no BLMOVE: looks once a second instead. */
  readonly blocks: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  /** Told whether the queue is paused, as often as it is seen. */
  readonly pause: PauseNote;
  /** Gives leases back that nobody waits for any more. */
  readonly release: (leases: readonly Lease[]) => Promise<unknown>;
}

const idleLookMs = 4_000;
const pollMs = 1_000;
const pausedLookMs = 60_000;
/** Registered in `:waiters` for a minute; renewed after half of it. */
const registrationMs = 30_000;
/** A queue nobody asked for jobs for so long leaves `:waiters`, so that wake-ups go to those who can use them. */
const leaveAfterMs = 50;
const fullScanMs = 1_000;
const fullMemoryPauseMs = 250;

export function createConsumer(options: ConsumerOptions): Consumer {
  const { link, clock, log } = options;
  const { queue, keys } = link;
  const nextArguments = createLookArguments(options.process);
  const wakeChannel = `${keys.waiters}:${options.process}`;
  const newsBell = createBell();
  const closing = new AbortController();
  /** Leases being given back, and farewells, that close waits for. */
  const loose = new Set<Promise<unknown>>();

  let news = 1;
  /** `news` as of the last look that came back short; 0 = there may be more. */
  let drainedAt = 0;
  let lookAgainAt = 0;
  /** Set while the queue is paused: when to make sure that it still is. */
  let pausedUntil: number | null = null;
  /** When this process was put among the waiters; null = it may not be there. */
  let registeredAt: number | null = null;
  /** Wake-ups heard, and farewells; each has taken this process off the waiters. */
  let wakes = 0;
  let scannedAt = Number.NEGATIVE_INFINITY;
  /** Parked keys to look at once they are open. */
  const candidates = new Set<string>();
  let attached: { server: RedisServer; subscription: Subscription } | null = null;
  let active = 0;
  let leaveTimer: ReturnType<typeof setTimeout> | undefined;
  let waitFailures = 0;
  let closed = false;

  const hear = (): void => {
    news += 1;
    newsBell.ring();
  };

  const attach = (server: RedisServer): void => {
    if (attached?.server === server) return;
    attached?.subscription.stop();
    registeredAt = null;
    const subscription = server.subscribe([wakeChannel, keys.paused], (event) => {
      if (event === "missed") {
        pausedUntil = null;
        // A wake-up among what was missed has taken it off the waiters.
        registeredAt = null;
        wakes += 1;
      } else if (event.channel === keys.paused) {
        pausedUntil = null;
        options.pause.set(event.message === "1");
      } else if (event.message !== "") {
        return soonerBy(Number(event.message));
      } else {
        registeredAt = null;
        wakes += 1;
      }
      hear();
    });
    attached = { server, subscription };
  };

  const onItsServer = <T>(what: Operation, use: (server: RedisServer) => Promise<T>): Promise<T> =>
    link.run(what, (server) => {
      if (!closed) attach(server);
      return use(server);
    });

  /** A job is due earlier than the last look said. Anybody may publish anything: a text that is no number says nothing. */
  const soonerBy = (ms: number): void => {
    const at = clock.monotonic() + ms;
    if (!(at < lookAgainAt)) return;
    lookAgainAt = at;
    newsBell.ring();
  };

  const pushes = createPushWait({
    queue,
    keys,
    clock,
    log,
    requestTimeoutMs: options.requestTimeoutMs,
    connect: () => onItsServer("waiting for jobs", (server) => server.blocking()),
    onBroken: (error) => void link.failed("waiting for jobs", error),
    onWorks: () => link.worked("waiting for jobs"),
    onPush: () => {
      hear();
      // Moved for a wait that nobody waits for any more: let another process have it.
      if (active === 0 && pausedUntil === null) leave();
    },
  });

  const track = (promise: Promise<unknown>): void => {
    const settled = promise.catch(() => undefined).finally(() => loose.delete(settled));
    loose.add(settled);
  };

  const leave = (): void => {
    registeredAt = null;
    const left = link.evaluate("leaving the waiters", leaveScript, [options.process]);
    track(
      left.finally(() => {
        // A look sent meanwhile may have registered before this took effect (its text may have had to follow
        // its hash), and may not even have been read yet.
        registeredAt = null;
        wakes += 1;
        hear();
      }),
    );
  };

  const look = async (wish: LeaseOptions, willWait: boolean): Promise<Look> => {
    const now = clock.monotonic();
    const heard = news;
    const woken = wakes;
    const registered = registeredAt !== null && now - registeredAt < registrationMs;
    const scan = now - scannedAt >= fullScanMs;
    const open = [...candidates].filter((key) => !wish.closedKeys.has(key));
    const { uid, args } = nextArguments({
      max: Math.min(Math.max(wish.max, 1), maxBatch),
      leaseMs: wish.leaseMs,
      parkedMax: Math.max(wish.parkedMax, 1),
      register: willWait,
      registered,
      keys: scan ? [...wish.closedKeys] : open,
      scan,
    });
    // Before it is sent: a key that is noted while the answer is on its way must stay.
    if (scan) {
      candidates.clear();
      for (const key of wish.closedKeys) candidates.add(key);
    } else {
      for (const key of open) candidates.delete(key);
    }
    let answer: Look;
    let fault: Error | null;
    try {
      const reply = await onItsServer("leasing", async (server) =>
        evaluate(await server.commands(), leaseScript, keys.all, args),
      );
      const read = link.read("leasing", reply);
      fault = read.fault;
      answer = readLook(read.values, uid, queue);
      if (fault !== null && answer.leases.length === 0) throw fault;
    } catch (error) {
      drainedAt = 0;
      scannedAt = Number.NEGATIVE_INFINITY;
      throw error;
    }
    if (answer.reclaimed > 0) options.events.reclaimed(queue, answer.reclaimed);
    const answeredAt = clock.monotonic();
    // The script takes `registered` on trust. A wake-up heard since then may be older or newer than the
    // answer, so that only a registration by this very look, with none heard, is certain.
    if (!answer.registered) registeredAt = null;
    else if (!registered) registeredAt = wakes === woken ? now : null;
    if (answer.paused) {
      pausedUntil = answeredAt + (attached?.subscription.isHeard === true ? pausedLookMs : pollMs);
      // A change told while the answer was on its way is newer than the answer.
      if (news !== heard) pausedUntil = null;
      else options.pause.set(true);
      return answer;
    }
    pausedUntil = null;
    if (news === heard) options.pause.set(false);
    if (scan) scannedAt = now;
    for (const key of answer.parkedKeys) candidates.add(key);
    // Some of the places could not be looked at: the next look finds out whether they can be now.
    drainedAt = answer.full || fault !== null ? 0 : heard;
    const dueMs = answer.nextMs === null ? Number.POSITIVE_INFINITY : answer.nextMs;
    const idleMs = options.blocks() && attached?.subscription.isHeard === true ? idleLookMs : pollMs;
    lookAgainAt = answeredAt + Math.min(dueMs, idleMs);
    return answer;
  };

  const mustLook = (wish: LeaseOptions): boolean => {
    const now = clock.monotonic();
    if (pausedUntil !== null) return now >= pausedUntil;
    // Who does not stand among the waiters is told nothing.
    if (drainedAt !== news || registeredAt === null || now >= lookAgainAt) return true;
    for (const key of candidates) if (!wish.closedKeys.has(key)) return true;
    return false;
  };

  /** Resolves at the next news, the end of a blocked wait, `untilAt`, or the signal. */
  const waitForNews = async (untilAt: number, signal: AbortSignal): Promise<void> => {
    if (closed) return;
    const ms = Math.max(untilAt - clock.monotonic(), 0);
    const paused = pausedUntil !== null;
    const rung = newsBell.wait(ms, signal);
    // A block of a few milliseconds costs more than it can gain.
    if (!paused && ms >= 20 && options.blocks()) {
      pushes.next(ms).then(() => {
        waitFailures = 0;
        newsBell.ring();
      }, failedWait);
    }
    await rung;
  };

  /**
   * The blocked wait failed: pause, then look. The look says whether Redis is there at all; with memory full
   * (BLMOVE may need some) or the one connection cut, consuming goes on by looks alone.
   */
  const failedWait = (): void => {
    waitFailures += 1;
    drainedAt = 0;
    const ms = Math.min(fullMemoryPauseMs, 20 * waitFailures ** 2);
    void sleep(ms, closing.signal).then(() => newsBell.ring());
  };

  return {
    async lease(wish) {
      clearTimeout(leaveTimer);
      active += 1;
      const endsAt = clock.monotonic() + wish.waitMs;
      try {
        for (let first = true; ; first = false) {
          if (wish.signal.aborted || closed) return [];
          // A caller that does not wait asks: is there anything now?
          if (mustLook(wish) || (first && wish.waitMs <= 0 && pausedUntil === null)) {
            const looking = look(wish, wish.waitMs > 0);
            const answer = await orAborted(looking, wish.signal);
            if (answer === null) {
              track(looking.then(({ leases }) => options.release(leases)));
              return [];
            }
            if (answer.leases.length > 0) {
              if (!wish.signal.aborted) return answer.leases;
              track(options.release(answer.leases));
              return [];
            }
          }
          if (clock.monotonic() >= endsAt) return [];
          // Heard while the answer was on its way, over another connection: nobody will say it again.
          if (pausedUntil === null && drainedAt !== news) continue;
          await waitForNews(Math.min(endsAt, pausedUntil ?? lookAgainAt), wish.signal);
        }
      } finally {
        active -= 1;
        if (active === 0 && !closed) {
          leaveTimer = setTimeout(() => {
            if (registeredAt !== null && active === 0) leave();
          }, leaveAfterMs);
        }
      }
    },

    noteParked: (key) => void candidates.add(key),
    noteDue: (delayMs) => soonerBy(delayMs),
    sawPaused(isPaused) {
      // What the channel told may be newer than that answer.
      if (attached?.subscription.isHeard !== true) options.pause.set(isPaused);
    },

    findings() {
      const waiting = pushes.finding();
      return waiting === null ? [] : [waiting];
    },

    async close() {
      closed = true;
      closing.abort();
      clearTimeout(leaveTimer);
      pushes.close();
      hear();
      if (registeredAt !== null) leave();
      await Promise.all(loose);
      attached?.subscription.stop();
    },
  };
}
