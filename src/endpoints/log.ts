import type { Endpoint } from "../delivery/endpoint.ts";
import type { Outcome } from "../delivery/outcome.ts";
import type { Disposition } from "../queue/driver.ts";

/** One attempt as the delivery log keeps it: what it came to, never what was sent. */
export interface LoggedAttempt {
  readonly deliveryId: string;
  readonly jobId: string;
  readonly queue: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly outcome: Outcome;
  /** Epoch ms of its end. */
  readonly at: number;
  readonly next: NextStep;
}

/** What became of the delivery. */
export type NextStep =
  | { readonly verb: "done" }
  | { readonly verb: "retry"; readonly delayMs: number }
  | { readonly verb: "dead"; readonly reason: string }
  /** Cut off: ready again, for this process or another. */
  | { readonly verb: "released" };

/** What the log keeps of a delivery; the worker's own fits it. */
export interface AttemptedDelivery {
  readonly endpoint: Endpoint;
  readonly id: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly held: { readonly lease: { readonly queue: string } };
}

/** The last attempts of each endpoint in this process. */
export interface AttemptLog {
  record(delivery: AttemptedDelivery, outcome: Outcome, disposition: Disposition): void;
  /** Up to `limit` of one endpoint, newest first. */
  list(endpoint: Endpoint, limit: number): LoggedAttempt[];
  /** Lets go of what it has of the endpoint with this label. */
  forget(label: string): void;
}

export interface AttemptLogOptions {
  /** Epoch ms. */
  readonly now: () => number;
  /** Most attempts kept per endpoint. */
  readonly perEndpoint?: number;
  /** Most attempts kept in all: past it the oldest one goes, whosever it is. */
  readonly total?: number;
}

/** Attempts kept per endpoint, and the most that can be asked for. */
export const attemptsPerEndpoint = 100;

/** About 10 MB when full, however many endpoints there are. */
const attemptsInAll = 20_000;

/** An attempt in two lists: its endpoint's, and that of all in order of time. */
interface Node {
  readonly entry: LoggedAttempt;
  readonly shelf: Shelf;
  nextOnShelf: Node | null;
  older: Node | null;
  newer: Node | null;
}

interface Shelf {
  readonly label: string;
  oldest: Node | null;
  newest: Node | null;
  size: number;
}

/**
 * A log in memory, bounded twice: per endpoint, and in all, so that ten thousand endpoints do not cost a
 * hundred times ten thousand entries. An endpoint that was never tried costs nothing.
 *
 * A busy endpoint pushes out its own oldest attempts first, and only past the total those of others.
 * Recording is O(1) and allocates one entry.
 */
export function createAttemptLog(options: AttemptLogOptions): AttemptLog {
  const perEndpoint = options.perEndpoint ?? attemptsPerEndpoint;
  const total = options.total ?? attemptsInAll;
  const shelves = new Map<string, Shelf>();
  let oldest: Node | null = null;
  let newest: Node | null = null;
  let size = 0;

  const add = (node: Node): void => {
    const { shelf } = node;
    if (shelf.newest === null) shelf.oldest = node;
    else shelf.newest.nextOnShelf = node;
    shelf.newest = node;
    shelf.size += 1;
    if (newest === null) oldest = node;
    else newest.newer = node;
    newest = node;
    size += 1;
  };

  /** The oldest of all is the oldest of its shelf too, so that a shelf only ever loses its first. */
  const dropOldestOf = (shelf: Shelf): void => {
    const node = shelf.oldest;
    if (node === null) return;
    shelf.oldest = node.nextOnShelf;
    if (shelf.oldest === null) shelf.newest = null;
    shelf.size -= 1;
    if (shelf.size === 0) shelves.delete(shelf.label);
    if (node.older === null) oldest = node.newer;
    else node.older.newer = node.newer;
    if (node.newer === null) newest = node.older;
    else node.newer.older = node.older;
    size -= 1;
  };

  return {
    record(delivery, outcome, disposition) {
      const { label } = delivery.endpoint;
      let shelf = shelves.get(label);
      if (shelf === undefined) {
        shelves.set(label, (shelf = { label, oldest: null, newest: null, size: 0 }));
      }
      const entry: LoggedAttempt = {
        // Neither is ever cut out of a body, which it would keep alive.
        deliveryId: delivery.id,
        jobId: delivery.jobId,
        queue: delivery.held.lease.queue,
        attempt: delivery.attempt,
        outcome,
        at: options.now(),
        next: nextStep(disposition),
      };
      add({ entry, shelf, nextOnShelf: null, older: newest, newer: null });
      if (shelf.size > perEndpoint) dropOldestOf(shelf);
      else if (size > total && oldest !== null) dropOldestOf(oldest.shelf);
    },
    list({ label }, limit) {
      const entries: LoggedAttempt[] = [];
      for (let node = shelves.get(label)?.oldest ?? null; node !== null; node = node.nextOnShelf) {
        entries.push(node.entry);
      }
      return entries.reverse().slice(0, limit);
    },
    forget(label) {
      for (let shelf = shelves.get(label); shelf !== undefined; shelf = shelves.get(label))
        dropOldestOf(shelf);
    },
  };
}

const done: NextStep = { verb: "done" };
const released: NextStep = { verb: "released" };

/** Without the disposition's body, which may be a megabyte. */
function nextStep(disposition: Disposition): NextStep {
  switch (disposition.verb) {
    case "retry":
      return { verb: "retry", delayMs: disposition.delayMs };
    case "dead":
      return { verb: "dead", reason: disposition.reason };
    case "ack":
    case "replace":
      return done;
    default:
      return released;
  }
}
