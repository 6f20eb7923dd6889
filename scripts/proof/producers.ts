import { app, eventFor, giveUp, receiverCount } from "./app.ts";
import type { Book, BookedJob } from "./book.ts";
import type { Member } from "./member.ts";
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
export function eventsOf(job: BookedJob): { name: string; channel: string }[] {
  const isDoomed = job.door.endsWith(doomed);
  return job.receivers.map((receiver) => ({
    name: eventFor(receiver),
    channel: `${isDoomed ? doomed : "n"}-${job.n}`,
  }));
}

/** How often a producer sends again what nobody has confirmed. */
const mostTries = 60;

/** POST /v1/queues/webhooks/jobs, with ids: sent again under the same id until it is confirmed. */
export function httpDoor(book: Book, members: readonly Member[], random: Random, group = false): Door {
  return {
    name: "http",
    async send(jobs) {
      const body = jobs.map((job) => ({
        id: `p-${job.n}`,
        app_id: app.id,
        payload: { time_ms: Date.now(), events: eventsOf(job) },
        ...(group ? { group: job.group, deduplication_id: `p-${job.n}` } : {}),
      }));
      await untilConfirmed(book, jobs, random.pick(members), (member) =>
        member.ask("POST", "/v1/queues/webhooks/jobs", body),
      );
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
        await untilConfirmed(book, [job], random.pick(members), (member) =>
          member.ask(
            "POST",
            `/v1/apps/${app.id}/events`,
            { events: eventsOf(job) },
            {
              "idempotency-key": `e-${job.n}`,
            },
          ),
        );
      }
    },
    close: () => Promise.resolve(),
  };
}

async function untilConfirmed(
  book: Book,
  jobs: readonly BookedJob[],
  member: Member,
  ask: (member: Member) => Promise<{ status: number; body: unknown }>,
): Promise<void> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    try {
      const { status, body } = await ask(member);
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

/** Draws the receivers of a job: mostly one, sometimes three. */
export function drawReceivers(random: Random): number[] {
  const first = random.whole(0, receiverCount - 1);
  if (!random.chance(0.1)) return [first];
  return [0, 1, 2].map((step) => (first + step) % receiverCount);
}

export function produce(
  book: Book,
  door: Door,
  random: Random,
  options: { readonly groups: number; readonly pauseMs: number; readonly perSend: number },
): Producing {
  const end = new AbortController();
  const run = async (): Promise<void> => {
    while (!end.signal.aborted) {
      await pause(options.pauseMs * (0.5 + random.next()));
      if (book.outstanding > mostOutstanding) continue;
      const count = random.whole(1, options.perSend);
      const jobs = Array.from({ length: count }, () => makeJob(book, door, random, options.groups));
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

function makeJob(book: Book, door: Door, random: Random, groups: number): BookedJob {
  const group = groups === 0 ? null : `g-${random.whole(1, groups)}`;
  if (random.chance(0.03)) return book.add(`${door.name} ${doomed}`, [giveUp.receiver], group);
  return book.add(door.name, drawReceivers(random), group);
}
