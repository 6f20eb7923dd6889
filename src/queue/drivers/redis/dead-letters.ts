import type { Buffer } from "node:buffer";
import { HooklineError } from "../../../errors.ts";
import type {
  DeadCounts,
  DeadLetter,
  DeadLetterPage,
  DeadLetterPageRequest,
  RedriveSelection,
} from "../../driver.ts";
import { readDeadCounts } from "./dead-counts.ts";
import { idOfName, nameOfId, readDeadLetter } from "./dead-record.ts";
import { deadCountsScript, deadPageScript, redriveScript, removeDeadScript } from "./dead-scripts.ts";
import { replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import { randomName } from "./lease-call.ts";
import type { QueueLink } from "./queue-link.ts";

/** Jobs redriven in one script call: bodies may be large, and Redis serves nobody else meanwhile. */
const redriveStep = 200;

/**
 * A cursor is the time of a page's last letter, as `:dead` holds it: digits. Whatever else stands there must not end the
 * listing; it gets a mark before it.
 */
const cursorPattern = /^(?:\d{1,17}|s(-?\d{1,20}(?:\.\d{1,20})?(?:e[+-]\d{1,3})?|-?inf))$/;

/** The dead letters of one queue: list, count, redrive, remove. */
export function createDeadLetters(link: QueueLink) {
  /** Answers how many were redriven, of how many names, up to which time; throws what stopped it when nothing was. */
  const redriveSome = async (
    args: readonly ScriptArgument[],
  ): Promise<[redriven: number, looked: number, newest: string]> => {
    const { values, fault } = await link.evaluate("redriving", redriveScript, [`${randomName()}-r`, ...args]);
    const redriven = Number(values[1]);
    if (fault !== null && redriven === 0) throw fault;
    return [redriven, Number(values[2]), replyText(values[3])];
  };

  return {
    /** Newest first; the cursor is the time of the last one, unique to the microsecond. */
    async page({ limit, cursor, maxBytes }: DeadLetterPageRequest): Promise<DeadLetterPage> {
      const match = cursor === null ? null : cursorPattern.exec(cursor);
      if (cursor !== null && match === null) {
        throw new HooklineError("bad_cursor", "cursor: expected the cursor of a previous page");
      }
      const start = match === null ? "+inf" : `(${match[1] ?? match[0]}`;
      const most = maxBytes ?? Number.MAX_SAFE_INTEGER;
      const [, isCut, ...rows] = await link.call("listing dead letters", deadPageScript, [
        limit,
        start,
        most,
      ]);
      const items: DeadLetter[] = [];
      for (let at = 0; at < rows.length; at += 3) {
        items.push(readDeadLetter(idOfName(rows[at] as Buffer), rows[at + 2] as Buffer | null));
      }
      const last = isCut === 1 || items.length === limit ? replyText(rows[rows.length - 2]) : null;
      return { items, cursor: last === null || /^\d+$/.test(last) ? last : `s${last}`, complete: true };
    },

    async counts(): Promise<DeadCounts> {
      return readDeadCounts(await link.call("counting dead letters", deadCountsScript, []));
    },

    /** What a step stopped at is thrown only when it had moved nothing: else the caller hears how many. */
    async redrive(which: RedriveSelection): Promise<number> {
      let done = 0;
      // What dies again meanwhile is not redriven again: it would go round as often as `max` allows.
      let newest = "";
      const step = async (args: readonly ScriptArgument[]): Promise<number | null> => {
        try {
          const [redriven, looked, until] = await redriveSome(args);
          done += redriven;
          newest = until;
          return looked;
        } catch (error) {
          if (done === 0) throw error;
          return null;
        }
      };
      if ("ids" in which) {
        for (let at = 0; at < which.ids.length; at += redriveStep) {
          if ((await step(["ids", ...which.ids.slice(at, at + redriveStep).map(nameOfId)])) === null) break;
        }
        return done;
      }
      while (done < which.max) {
        const most = Math.min(redriveStep, which.max - done);
        const looked = await step(["max", most, newest]);
        if (looked === null || looked < most) break;
      }
      return done;
    },

    async remove(id: string): Promise<boolean> {
      const [, removed] = await link.call("removing a dead letter", removeDeadScript, [nameOfId(id)]);
      return removed === 1;
    },
  };
}

export type DeadLetters = ReturnType<typeof createDeadLetters>;
