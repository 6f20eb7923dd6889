import { concurrency, narrow, receiverCount } from "./app.ts";
import { createBook } from "./book.ts";
import type { Book } from "./book.ts";
import { createGauge } from "./gauge.ts";
import type { Gauge } from "./gauge.ts";
import type { Member } from "./member.ts";
import { well } from "./moods.ts";
import { startProofReceiver } from "./receivers.ts";
import type { ProofReceiver } from "./receivers.ts";
import type { ProofDead } from "./world.ts";
import { pause } from "./weather.ts";

/** What every world has. */
export interface Ground {
  readonly book: Book;
  readonly receivers: readonly ProofReceiver[];
  readonly inFlight: Gauge;
  close(): Promise<void>;
}

/** The book and the receivers of a world of so many processes. */
export async function layGround(processes: number): Promise<Ground> {
  const book = createBook(receiverCount);
  // Contract §2: attempts in flight per queue, plus one for each endpoint that has none in flight.
  const total = createGauge(processes * (concurrency + receiverCount));
  const receivers = await Promise.all(
    Array.from({ length: receiverCount }, (_, number) => {
      const each = number === narrow.receiver ? narrow.concurrency : concurrency + 1;
      return startProofReceiver(book, { number, limit: processes * each, total });
    }),
  );
  return {
    book,
    receivers,
    inFlight: total,
    async close() {
      await Promise.all(receivers.map((receiver) => receiver.close()));
    },
  };
}

export function calmReceivers(receivers: readonly ProofReceiver[]): void {
  for (const receiver of receivers) receiver.mood = well;
}

/** Asks until it gets a 200; a process that has just been hindered may take a while. */
export async function askPatiently(member: Member, path: string): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { status, body } = await member.ask("GET", path);
      if (status === 200) return body as unknown;
      if (attempt > 100) throw new Error(`${member.name} answered ${status} to ${path}`);
    } catch (error) {
      if (attempt > 100) throw error;
    }
    await pause(100);
  }
}

/** What the process' backend holds of the queue `webhooks`. */
export async function queuedAt(member: Member): Promise<number> {
  const stats = (await askPatiently(member, "/v1/queues/webhooks")) as Record<string, number | null>;
  return ["ready", "delayed", "leased", "parked"].reduce((sum, name) => sum + (stats[name] ?? 0), 0);
}

interface DeadPage {
  readonly items: readonly { readonly reason: string; readonly endpoint?: string; readonly job?: unknown }[];
  readonly cursor: string | null;
}

/** All dead letters of the queue `webhooks`. */
export async function deadAt(member: Member): Promise<ProofDead[]> {
  const found: ProofDead[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = (await askPatiently(member, `/v1/queues/webhooks/dead?limit=1000${query}`)) as DeadPage;
    for (const item of page.items)
      found.push(...readDead(item.reason, item.endpoint, JSON.stringify(item.job)));
    cursor = page.cursor;
  } while (cursor !== null);
  return found;
}

/** A dead letter's delivery, from what is kept with it. */
export function readDead(reason: string, endpoint: string | undefined, job: string): ProofDead[] {
  const [, n] = /channel[\\]*":[\\]*"(?:n|doomed)-(\d+)/.exec(job) ?? [];
  const [, receiver] = /receiver-(\d+)/.exec(endpoint ?? "") ?? [];
  return [
    {
      n: n === undefined ? -1 : Number(n),
      receiver: receiver === undefined ? null : Number(receiver),
      reason,
    },
  ];
}
