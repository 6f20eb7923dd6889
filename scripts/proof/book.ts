import { now } from "./weather.ts";

/** A job that a producer made. */
export interface BookedJob {
  readonly n: number;
  /** As in `http`, `rpush`. */
  readonly door: string;
  /** The receivers that want it, by number. */
  readonly receivers: readonly number[];
  /** Its group, where the queue keeps order. */
  readonly group: string | null;
  /** Epoch ms. */
  readonly madeAt: number;
  /** Epoch ms of the backend's word that it has the job; null while there is none. */
  confirmedAt: number | null;
}

/** One 2xx that a receiver gave, whole. */
export interface Accepted {
  readonly at: number;
  readonly webhookId: string;
}

/** What the producers and the receivers know, each of their own. */
export interface Book {
  readonly jobs: readonly BookedJob[];
  readonly accepted: ReadonlyMap<string, readonly Accepted[]>;
  /** Attempts that came, whole, by delivery. */
  readonly attempts: ReadonlyMap<string, number>;
  /** Epoch ms of each receiver's attempts, in order. */
  readonly arrivals: readonly (readonly number[])[];
  /** Confirmed deliveries that no receiver has accepted, or refused for good, yet. */
  readonly outstanding: number;
  readonly forged: number;
  /** Makes a job; it counts once `confirm` was called. */
  add(door: string, receivers: readonly number[], group?: string | null): BookedJob;
  confirm(job: BookedJob, at: number): void;
  noteAttempt(n: number, receiver: number, at: number): void;
  noteAccepted(n: number, receiver: number, accepted: Accepted): void;
  /** The receiver said no for good, as by 400. */
  noteRefused(n: number, receiver: number): void;
  /** What came was not what had been signed, or not signed. */
  noteForged(): void;
}

/** The name of one delivery. */
export function deliveryKey(n: number, receiver: number): string {
  return `${n}/${receiver}`;
}

export function createBook(receivers: number): Book {
  const jobs: BookedJob[] = [];
  const accepted = new Map<string, Accepted[]>();
  const attempts = new Map<string, number>();
  const arrivals: number[][] = Array.from({ length: receivers }, () => []);
  const confirmed = new Set<string>();
  const ended = new Set<string>();
  let outstanding = 0;
  let forged = 0;
  const end = (key: string): void => {
    if (ended.has(key)) return;
    ended.add(key);
    if (confirmed.has(key)) outstanding -= 1;
  };
  return {
    jobs,
    accepted,
    attempts,
    arrivals,
    get outstanding() {
      return outstanding;
    },
    get forged() {
      return forged;
    },
    add(door, wanted, group = null) {
      const job: BookedJob = {
        n: jobs.length,
        door,
        receivers: wanted,
        group,
        madeAt: now(),
        confirmedAt: null,
      };
      jobs.push(job);
      return job;
    },
    confirm(job, at) {
      if (job.confirmedAt !== null) return;
      job.confirmedAt = at;
      for (const receiver of job.receivers) {
        const key = deliveryKey(job.n, receiver);
        confirmed.add(key);
        if (!ended.has(key)) outstanding += 1;
      }
    },
    noteAttempt(n, receiver, at) {
      const key = deliveryKey(n, receiver);
      attempts.set(key, (attempts.get(key) ?? 0) + 1);
      arrivals[receiver]?.push(at);
    },
    noteAccepted(n, receiver, one) {
      const key = deliveryKey(n, receiver);
      accepted.set(key, [...(accepted.get(key) ?? []), one]);
      end(key);
    },
    noteRefused: (n, receiver) => end(deliveryKey(n, receiver)),
    noteForged: () => void (forged += 1),
  };
}
