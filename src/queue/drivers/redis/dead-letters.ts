import type { Buffer } from "node:buffer";
import { HooklineError } from "../../../errors.ts";
import type {
  DeadCounts,
  DeadLetter,
  DeadLetterPage,
  DeadLetterPageRequest,
  RedriveSelection,
  RewrittenJob,
} from "../../driver.ts";
import { readDeadCounts } from "./dead-counts.ts";
import { idOfName, nameOfId, readDeadLetter } from "./dead-record.ts";
import { deadPageScript } from "./dead-page-script.ts";
import { deadCountsScript, redriveScript, removeDeadScript } from "./dead-scripts.ts";
import { replyText } from "./evaluate.ts";
import type { ScriptArgument } from "./evaluate.ts";
import { randomName } from "./lease-call.ts";
import type { QueueLink } from "./queue-link.ts";
import { bodyArgument } from "./record.ts";

/** Jobs redriven in one script call: bodies may be large, and Redis serves nobody else meanwhile. */
const redriveStep = 200;

/** Letters that a page with a filter looks at in one call, 2 to 3 µs each, in which Redis serves nobody else. */
const mostLooked = 2_000;

/**
 * A letter's time in `:dead` may be after the one that its content tells: letters of one call follow each other by a
 * microsecond, and where a clock was set back, new ones follow the newest (dead-part.ts).
 */
const laterMs = 3_601_000;

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
    /** The cursor is the time of the last letter that was looked at, unique to the microsecond. */
    async page(request: DeadLetterPageRequest): Promise<DeadLetterPage> {
      const { limit, filter, maxBytes: most = Number.MAX_SAFE_INTEGER, bodies = true } = request;
      const order = request.oldestFirst === true ? "old" : "new";
      const [from, to] = scoreRange(request);
      const [, looked, last, isMore, ...rows] = await link.call("listing dead letters", deadPageScript, [
        limit,
        from,
        to,
        most,
        order,
        mostLooked,
        bodies ? "1" : "0",
        filter === undefined ? "" : JSON.stringify(filter),
      ]);
      const items: DeadLetter[] = [];
      const cursors: string[] = [];
      for (let at = 0; at < rows.length; at += 3) {
        items.push(readDeadLetter(idOfName(rows[at] as Buffer), rows[at + 2] as Buffer | null));
        cursors.push(cursorOf(replyText(rows[at + 1])));
      }
      const next = isMore === 1 ? cursorOf(replyText(last)) : null;
      return { items, cursors, looked: Number(looked), cursor: next, complete: true };
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
          const ids = which.ids.slice(at, at + redriveStep);
          if ((await step(redriveArguments(ids, which.rewritten))) === null) break;
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

    /** What stopped it is thrown only when it had removed nothing: else the caller hears how many. */
    async remove(ids: readonly string[]): Promise<number> {
      let removed = 0;
      for (let at = 0; at < ids.length; at += redriveStep) {
        const names = ids.slice(at, at + redriveStep).map(nameOfId);
        const { values, fault } = await link.evaluate("removing dead letters", removeDeadScript, names);
        removed += Number(values[1]);
        if (fault !== null && removed === 0) throw fault;
        if (fault !== null) break;
      }
      return removed;
    },
  };
}

export type DeadLetters = ReturnType<typeof createDeadLetters>;

/** Those that become other jobs are given with them; a call has one kind only. */
function redriveArguments(
  ids: readonly string[],
  rewritten: ReadonlyMap<string, RewrittenJob> | undefined,
): ScriptArgument[] {
  if (rewritten === undefined) return ["ids", ...ids.map(nameOfId)];
  return [
    "to",
    ...ids.flatMap((id) => {
      const job = rewritten.get(id);
      if (job === undefined) throw new Error("redis: a redrive rewrites some of its dead letters only");
      return [nameOfId(id), job.id, bodyArgument(job.body)];
    }),
  ];
}

function cursorOf(score: string): string {
  return /^\d+$/.test(score) ? score : `s${score}`;
}

/** The first and the last score that a page looks at. */
function scoreRange({
  cursor,
  filter,
  oldestFirst = false,
  upTo,
}: DeadLetterPageRequest): [from: string, to: string] {
  const { since, until } = filter ?? {};
  const least = since === undefined ? "-inf" : String(Math.floor(since * 1000));
  const most = until === undefined ? "+inf" : String(Math.ceil((until + laterMs) * 1000));
  const after = cursor === null ? null : `(${scoreOf(cursor)}`;
  if (!oldestFirst) return [after ?? most, least];
  return [after ?? least, upTo === undefined ? most : scoreOf(upTo)];
}

function scoreOf(cursor: string): string {
  const match = cursorPattern.exec(cursor);
  if (match === null) throw new HooklineError("bad_cursor", "cursor: expected the cursor of a previous page");
  return match[1] ?? match[0];
}
