import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { createDeadFillWatch } from "../../dead-fill.ts";
import type {
  DeadCounts,
  DeadLetter,
  DeadLetterPage,
  DeadLetterPageRequest,
  DriverEvents,
  RedriveSelection,
  Settlement,
} from "../../driver.ts";
import { createDeadLetterShelf } from "./dead-letter-shelf.ts";
import type { ShelfLimits, ShelvedLetter } from "./dead-letter-shelf.ts";
import type { JobEntry } from "./job-entry.ts";
import type { Keeper } from "./keeper.ts";

/** The dead letters of one queue, told to its keeper. */
export interface DeadLetters {
  readonly size: number;
  /** Makes a dead letter of a job that was leased, in one step. */
  add(entry: JobEntry, settlement: Settlement & { readonly verb: "dead" }): void;
  /** The letters that a redrive asks for, the oldest first; each is to be taken before the next is asked for. */
  select(which: RedriveSelection): Generator<ShelvedLetter>;
  /** Takes a letter out, for a redrive. */
  take(id: string): void;
  /** Removes one for good; false when there is none of that id. */
  remove(id: string): boolean;
  /** How many of these there were, and are no more. */
  removeMany(ids: readonly string[]): number;
  page(request: DeadLetterPageRequest): Promise<DeadLetterPage>;
  /** The letters of these ids, and up to nine beside each under the same id with a number. */
  findAll(ids: readonly string[]): Promise<DeadLetter[]>;
  counts(): DeadCounts;
  finding(): Finding | null;
  /** Puts a letter back that an earlier process kept. */
  restore(letter: ShelvedLetter): void;
}

export interface DeadLettersOptions {
  /** What is kept at most; the oldest go first, counted through `events`. */
  readonly limits: ShelfLimits;
  /** How much of the backend's room is taken, 0 to 1; `dead_letters_fill` from 0.8 on. */
  readonly fill: (letters: number, bytes: number) => { readonly share: number; readonly usage: string };
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: DriverEvents;
}

/** An empty shelf with its watch. What is too old goes when the shelf is next looked at: there is no timer. */
export function createDeadLetters(queue: string, options: DeadLettersOptions, keeper: Keeper): DeadLetters {
  const { clock, events } = options;
  const shelf = createDeadLetterShelf(options.limits, () => clock.monotonic());
  const watch = createDeadFillWatch(queue, options);

  const reportFill = (): void => {
    const { share } = options.fill(shelf.size, shelf.bytes);
    watch.look(share, () => ({
      usage: options.fill(shelf.size, shelf.bytes).usage,
      largest: shelf.largest(5),
    }));
  };

  const trim = (): void => {
    const trimmed = shelf.trim();
    for (const letter of trimmed) keeper.removed(letter);
    if (trimmed.length > 0) events.trimmed(queue, trimmed.length);
    reportFill();
  };

  const withBodies = async (letters: readonly ShelvedLetter[], areAsked = true): Promise<DeadLetter[]> => {
    const bodies = areAsked ? await keeper.read(letters) : [];
    return letters.map(({ ref: _ref, bodyBytes: _bytes, ...letter }, at) => ({
      ...letter,
      body: bodies[at] ?? "",
    }));
  };

  const remove = (id: string): boolean => {
    const letter = shelf.take(id);
    if (letter === undefined) return false;
    keeper.removed(letter);
    reportFill();
    return true;
  };

  return {
    get size() {
      trim();
      return shelf.size;
    },
    add(entry, { reason, detail, endpoint, attempted, body }) {
      const letter = {
        id: shelf.freeId(entry.id),
        jobId: entry.id,
        reason,
        detail,
        endpoint,
        attempts: entry.attempts + (attempted ? 1 : 0),
        failedAt: clock.now(),
        enqueuedAt: entry.enqueuedAt,
        ref: entry.ref,
        bodyBytes: 0,
      };
      letter.bodyBytes = keeper.died(letter, body);
      shelf.add(letter);
      trim();
    },
    *select(which) {
      trim();
      const limit = "ids" in which ? which.ids.length : which.max;
      for (let index = 0; index < limit; index += 1) {
        const letter = "ids" in which ? shelf.find(which.ids[index] as string) : shelf.oldest();
        if (letter !== undefined) yield letter;
        else if (!("ids" in which)) return;
      }
    },
    take(id) {
      shelf.take(id);
      reportFill();
    },
    remove,
    removeMany: (ids) => ids.filter(remove).length,
    async page(request) {
      trim();
      const { letters, cursors, looked, cursor } = shelf.page(request);
      const items = await withBodies(letters, request.bodies);
      return { items, cursors, looked, cursor, complete: true };
    },
    findAll(ids) {
      trim();
      const letters = ids.flatMap((id) => {
        const found: ShelvedLetter[] = [];
        for (let copy = 1; copy <= 10; copy += 1) {
          const letter = shelf.find(copy === 1 ? id : `${id}.${copy}`);
          if (letter !== undefined) found.push(letter);
          else if (copy > 1) break;
        }
        return found;
      });
      return withBodies(letters);
    },
    counts() {
      trim();
      return shelf.counts();
    },
    finding: () => watch.finding(),
    restore: (letter) => shelf.add(letter, Math.max(0, clock.now() - letter.failedAt)),
  };
}
