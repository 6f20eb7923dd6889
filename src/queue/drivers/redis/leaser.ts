import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import { DriverUnavailableError } from "../../../errors.ts";
import type { Finding } from "../../../problems/finding.ts";
import { createBell, orAborted, sleep } from "../../../wait.ts";
import type { DriverEvents, Lease, LeaseOptions } from "../../driver.ts";
import type { PauseNote } from "../../pause-note.ts";
import { createLeaseArguments, readLeaseAnswer } from "./lease-call.ts";
import type { LeaseAnswer } from "./lease-call.ts";
import { createPushWait } from "./push-wait.ts";
import { leaseScript } from "./lease-script.ts";
import type { Operation } from "./operation.ts";
import type { QueueLink } from "./queue-link.ts";
import { evaluate } from "./evaluate.ts";
import { leaveScript } from "./queue-scripts.ts";
import { createQueueView } from "./queue-view.ts";
import type { QueueRank } from "./ranks.ts";
import type { RedisServer } from "./server.ts";
import type { Subscription } from "./subscriptions.ts";

/**
 * Takes the jobs of one queue: calls one script that leases, and waits between the calls. queue-view.ts says when a call is due.
 *
 * Paused, nothing is sent: the channel tells the end of it, and once a minute a call makes sure.
 */
export interface Leaser {
  lease(options: LeaseOptions): Promise<Lease[]>;
  /** This process parked jobs under a key: it asks for them when the key is open. */
  noteParked(key: string): void;
  /** This process delayed a job by so much. */
  noteDue(delayMs: number): void;
  /** Somebody else's answer said whether the queue is paused; counts only where the channel does not tell. */
  sawPaused(isPaused: boolean): void;
  /** What keeps this queue from being consumed as it should. */
  findings(): Finding[];
  close(): Promise<void>;
}

export interface LeaserOptions {
  readonly link: QueueLink;
  readonly process: string;
  readonly requestTimeoutMs: number;
  /** False on Redis before 6.2, which has no BLMOVE: calls once a second instead. */
  readonly blocks: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
  readonly rank: QueueRank;
  /** Told whether the queue is paused, as often as it is seen. */
  readonly pause: PauseNote;
  /** Gives leases back that nobody waits for any more. */
  readonly release: (leases: readonly Lease[]) => Promise<unknown>;
}

/** A queue nobody asked for jobs for so long leaves `:waiters`, so that wake-ups go to those who can use them. */
const leaveAfterMs = 50;
const fullMemoryPauseMs = 250;

export function createLeaser(options: LeaserOptions): Leaser {
  const { link, clock, log } = options;
  const { queue, keys } = link;
  const nextArguments = createLeaseArguments(options.process);
  const wakeChannel = `${keys.waiters}:${options.process}`;
  const newsBell = createBell();
  const closing = new AbortController();
  /** Leases being given back, and this process leaving the waiters: close waits for them. */
  const unfinished = new Set<Promise<unknown>>();

  let attached: { server: RedisServer; subscription: Subscription } | null = null;
  let active = 0;
  let leaveTimer: ReturnType<typeof setTimeout> | undefined;
  let waitFailures = 0;
  let closed = false;

  const isHeard = (): boolean => attached?.subscription.isHeard === true;
  const view = createQueueView({ clock, isHeard, blocks: options.blocks });

  const attach = (server: RedisServer): void => {
    if (attached?.server === server) return;
    attached?.subscription.stop();
    view.forgetRegistration();
    const subscription = server.subscribe([wakeChannel, keys.paused], (event) => {
      if (event === "missed") {
        view.hearPause();
        // A wake-up among what was missed has taken it off the waiters.
        view.hearAsWaiter();
      } else if (event.channel === keys.paused) {
        options.pause.set(event.message === "1");
        view.hearPause();
      } else if (event.message !== "") {
        return soonerBy(Number(event.message));
      } else {
        view.hearAsWaiter();
      }
      newsBell.ring();
    });
    attached = { server, subscription };
  };

  const onItsServer = <T>(what: Operation, use: (server: RedisServer) => Promise<T>): Promise<T> =>
    link.run(what, (server) => {
      if (!closed) attach(server);
      return use(server);
    });

  const soonerBy = (ms: number): void => {
    if (view.soonerBy(ms)) newsBell.ring();
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
      view.hear();
      newsBell.ring();
      // The job arrived after its waiter had left; another process takes it.
      if (active === 0 && !view.isPaused) leave();
    },
  });

  const track = (promise: Promise<unknown>): void => {
    const settled = promise.catch(() => undefined).finally(() => unfinished.delete(settled));
    unfinished.add(settled);
  };

  const leave = (): void => {
    view.forgetRegistration();
    const left = link.evaluate("leaving the waiters", leaveScript, [options.process]);
    track(
      left.finally(() => {
        // A call sent meanwhile may have registered before this took effect (its text may have had to follow
        // its hash), and may not even have been read yet.
        view.hearAsWaiter();
        newsBell.ring();
      }),
    );
  };

  const call = async (asked: LeaseOptions, willWait: boolean): Promise<Lease[]> => {
    const rank = options.rank.rank();
    if (rank === null) {
      throw new DriverUnavailableError(`redis: leasing: this process is not in line on "${queue}" yet`);
    }
    const begun = view.begin(asked, willWait);
    const { uid, args } = nextArguments(begun.request, rank);
    let answer: LeaseAnswer;
    let fault: Error | null;
    try {
      const reply = await onItsServer("leasing", async (server) =>
        evaluate(await server.commands(), leaseScript, keys.all, args),
      );
      const read = link.read("leasing", reply);
      fault = read.fault;
      answer = readLeaseAnswer(read.values, uid, queue);
      if (fault !== null && answer.leases.length === 0) throw fault;
    } catch (error) {
      view.failed();
      throw error;
    }
    if (answer.reclaimed > 0) options.events.reclaimed(queue, answer.reclaimed);
    options.rank.setBehind(answer.behind);
    const state = view.answered(begun, answer, fault !== null);
    if (state !== "unknown") options.pause.set(state === "paused");
    return answer.leases;
  };

  /** Resolves at the next news, the end of a blocked wait, `untilAt`, or the signal. */
  const waitForNews = async (untilAt: number, signal: AbortSignal): Promise<void> => {
    if (closed) return;
    const ms = Math.max(untilAt - clock.monotonic(), 0);
    const rung = newsBell.wait(ms, signal);
    // A block of a few milliseconds costs more than it can gain.
    if (!view.isPaused && ms >= 20 && options.blocks()) {
      pushes.next(ms).then(() => {
        waitFailures = 0;
        newsBell.ring();
      }, failedWait);
    }
    await rung;
  };

  /**
   * The blocked wait failed: pauses, then calls. The call says whether Redis is there at all; with memory full
   * (BLMOVE may need some) or the one connection cut, consuming goes on by calls alone.
   */
  const failedWait = (): void => {
    waitFailures += 1;
    view.doubt();
    const ms = Math.min(fullMemoryPauseMs, 20 * waitFailures ** 2);
    void sleep(ms, closing.signal).then(() => newsBell.ring());
  };

  return {
    async lease(asked) {
      clearTimeout(leaveTimer);
      active += 1;
      const endsAt = clock.monotonic() + asked.waitMs;
      try {
        for (let first = true; ; first = false) {
          if (asked.signal.aborted || closed) return [];
          // A caller that does not wait asks: is there anything now?
          if (view.mustAsk(asked) || (first && asked.waitMs <= 0 && !view.isPaused)) {
            const calling = call(asked, asked.waitMs > 0);
            const leases = await orAborted(calling, asked.signal);
            if (leases === null) {
              track(calling.then(options.release));
              return [];
            }
            if (leases.length > 0) {
              if (!asked.signal.aborted) return leases;
              track(options.release(leases));
              return [];
            }
          }
          if (clock.monotonic() >= endsAt) return [];
          // Heard while the answer was on its way, over another connection: nobody will say it again.
          if (!view.isPaused && view.hasNews) continue;
          await waitForNews(Math.min(endsAt, view.nextCallAt()), asked.signal);
        }
      } finally {
        active -= 1;
        if (active === 0 && !closed) {
          leaveTimer = setTimeout(() => {
            if (view.isRegistered && active === 0) leave();
          }, leaveAfterMs);
        }
      }
    },

    noteParked: (key) => view.noteParked(key),
    noteDue: soonerBy,
    sawPaused(isPaused) {
      // What the channel told may be newer than that answer.
      if (!isHeard()) options.pause.set(isPaused);
    },

    findings: () => [pushes.finding()].filter((finding) => finding !== null),

    async close() {
      closed = true;
      closing.abort();
      clearTimeout(leaveTimer);
      pushes.close();
      newsBell.ring();
      if (view.isRegistered) leave();
      await Promise.all(unfinished);
      attached?.subscription.stop();
    },
  };
}
