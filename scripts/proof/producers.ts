import { app, eventFor, giveUp, receiverCount } from "./app.ts";
import type { Book, BookedJob } from "./book.ts";
import type { Member, MemberAnswer } from "./member.ts";
import type { Random } from "./random.ts";
import { doomed } from "./receivers.ts";
import { now, pause } from "./weather.ts";

/** One way in which jobs come in. Jobs that it could confirm are confirmed in the book. */
export interface Door {
  readonly name: string;
  /** Sends some jobs; never rejects for a fault of the way or of the backend. */
  send(jobs: readonly BookedJob[]): Promise<void>;
  close(): Promise<void>;
}

/** The events of a job, one for each receiver that wants it. */
export function eventsOf(job: BookedJob): { name: string; channel: string; data: string }[] {
  const isDoomed = job.door.endsWith(doomed);
  return job.receivers.map((receiver) => ({
    name: eventFor(receiver),
    channel: `${isDoomed ? doomed : "n"}-${job.n}`,
    // Some are large, so that journals grow and answers come in several packets.
    data: "x".repeat(job.n % 8 === 0 ? 8_000 : 20),
  }));
}

/** As Sockudo v2 to v4 writes it, without an id. */
export function sockudoJob(job: BookedJob): string {
  return JSON.stringify({
    app_key: app.key,
    app_id: app.id,
    app_secret: app.secret,
    payload: { time_ms: Date.now(), events: eventsOf(job) },
    original_signature: "shop:n:to",
  });
}

/** How often a producer sends again what nobody has confirmed. */
const mostTries = 60;

/** POST /v1/queues/webhooks/jobs, with ids; where `sendsAgain`, under the same ids until they are confirmed. */
export function httpDoor(
  book: Book,
  members: readonly Member[],
  random: Random,
  { isGrouped = false, sendsAgain = true } = {},
): Door {
  return {
    name: "http",
    async send(jobs) {
      const body = jobs.map((job) => ({
        id: `p-${job.n}`,
        app_id: app.id,
        payload: { time_ms: Date.now(), events: eventsOf(job) },
        ...(isGrouped ? { group: job.group, deduplication_id: `p-${job.n}` } : {}),
      }));
      const member = random.pick(members);
      const ask = (): Promise<MemberAnswer> => member.ask("POST", "/v1/queues/webhooks/jobs", body);
      await untilConfirmed(book, jobs, sendsAgain ? mostTries : 1, ask);
    },
    close: () => Promise.resolve(),
  };
}

/** POST /v1/apps/{id}/events with an Idempotency-Key, one job a request. */
export function eventsDoor(book: Book, members: readonly Member[], random: Random): Door {
  return {
    name: "events",
    async send(jobs) {
      for (const job of jobs) {
        const member = random.pick(members);
        const path = `/v1/apps/${app.id}/events`;
        await untilConfirmed(book, [job], mostTries, () =>
          member.ask("POST", path, { events: eventsOf(job) }, { "idempotency-key": `e-${job.n}` }),
        );
      }
    },
    close: () => Promise.resolve(),
  };
}

async function untilConfirmed(
  book: Book,
  jobs: readonly BookedJob[],
  mostTries: number,
  ask: () => Promise<{ status: number; body: unknown }>,
): Promise<void> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    try {
      const { status, body } = await ask();
      if (status === 202) {
        const at = now();
        const each = (body as { jobs?: { status: string }[] }).jobs ?? [];
        for (const [index, job] of jobs.entries()) {
          const said = each[index]?.status;
          if (said === "enqueued" || said === "duplicate") book.confirm(job, at);
        }
        if (jobs.every(({ confirmedAt }) => confirmedAt !== null)) return;
      } else if (status < 500 && status !== 429) {
        throw new WrongAnswer(`${status} ${JSON.stringify(body)}`);
      }
    } catch (error) {
      if (error instanceof WrongAnswer) throw error;
      // Away, or its answer was lost: nobody knows, and the same ids are sent again.
    }
    await pause(100);
  }
}

class WrongAnswer extends Error {}

/** A producer that sends jobs through a door until it is stopped. */
export interface Producing {
  stop(): Promise<void>;
}

/** Deliveries that may wait, over all producers, before they stop for a while: what waits must drain in the end. */
const mostOutstanding = 1_500;

const burst = 60;

/** Draws the receivers of a job: mostly one, sometimes three. */
export function drawReceivers(random: Random): number[] {
  const first = random.whole(0, receiverCount - 1);
  if (!random.chance(0.1)) return [first];
  return [0, 1, 2].map((step) => (first + step) % receiverCount);
}

export interface ProducingOptions {
  /** Which producer it is: groups are one producer's, so that their order is known. */
  readonly number: number;
  /** Groups that it sends to; 0 where the backend keeps no order. */
  readonly groups: number;
  /** Mean time between two of its requests. */
  readonly pauseMs: number;
  /** Most jobs of a request. */
  readonly perSend: number;
}

export function produce(book: Book, door: Door, random: Random, options: ProducingOptions): Producing {
  const end = new AbortController();
  const run = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await pause(options.pauseMs * (0.5 + random.next()));
      if (book.outstanding > mostOutstanding) continue;
      // Now and then one receiver gets many at once, and must be held to its limits.
      const isBurst = options.perSend > 1 && random.chance(0.02);
      const count = isBurst ? burst : random.whole(1, options.perSend);
      const [only] = drawReceivers(random);
      const jobs = Array.from({ length: count }, () =>
        isBurst && only !== undefined ? book.add(door.name, [only]) : makeJob(book, door, random, options),
      );
      await door.send(jobs);
    }
  };
  const running = run();
  running.catch(() => undefined);
  return {
    stop() {
      end.abort();
      return running;
    },
  };
}

function makeJob(book: Book, door: Door, random: Random, { number, groups }: ProducingOptions): BookedJob {
  const group = groups === 0 ? null : `producer-${number}-${random.whole(1, groups)}`;
  if (random.chance(0.03)) return book.add(`${door.name} ${doomed}`, [giveUp.receiver], group);
  return book.add(door.name, drawReceivers(random), group);
}
