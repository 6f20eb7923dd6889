import { clearTimeout, setTimeout } from "node:timers";
import type { Clock } from "../clock.ts";
import type { Cut } from "./cut.ts";
import type { Outcome, Verdict } from "./outcome.ts";

/** The total deadlines of all attempts in flight. */
export interface Deadlines {
  /** Starts an attempt's time: once `timeoutMs` have passed, or at most 50 ms later, it is cut off as late. */
  begin(cut: Cut, timeoutMs: number): void;
  /** Ends it; answers how many milliseconds it took. */
  end(cut: Cut): number;
  /**
   * Runs one attempt under its deadline: `timeout` when that passes, `aborted` when the caller cuts it off, else what
   * the work itself comes to.
   *
   * The work must end at once when `cut` is cut; what it throws then is not looked at. Anything else it throws
   * is passed on. Its verdict must be an object of its own, for the duration is put into it.
   */
  run(
    attempt: { readonly timeoutMs: number; readonly cut: Cut },
    work: () => Promise<Verdict>,
  ): Promise<Outcome>;
}

/** Deadlines that fall into one step are kept together. */
const stepMs = 50;
const longestTimerMs = 2_147_483_647;

/** Attempts of one timeout: their deadlines come in the order in which they began. */
interface Line {
  first: Cut | null;
  last: Cut | null;
}

/**
 * One timer for all attempts: tens of thousands a second end in time, and a timer of its own for each would be set and
 * cleared for nothing.
 *
 * Attempts of one timeout stand in a line, the oldest first; there are as many lines as different timeouts in the
 * configuration. The timer is set for the nearest deadline. It is let be when that attempt ends in time, and sets
 * itself for the next one when it fires. It keeps no process alive.
 */
export function createDeadlines(clock: Clock): Deadlines {
  const lines = new Map<number, Line>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let timerAt = Infinity;

  const arm = (at: number, now: number, leastMs: number): void => {
    if (timer !== null) clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(expire, Math.min(Math.max(Math.ceil(at - now), leastMs), longestTimerMs));
    timer.unref();
  };

  const leave = (cut: Cut): void => {
    const line = cut.line as Line | null;
    if (line === null) return;
    if (cut.before === null) line.first = cut.after;
    else cut.before.after = cut.after;
    if (cut.after === null) line.last = cut.before;
    else cut.after.before = cut.before;
    cut.line = cut.before = cut.after = null;
  };

  const expire = (): void => {
    timer = null;
    timerAt = Infinity;
    const now = clock.monotonic();
    let nearest = Infinity;
    for (const [timeoutMs, line] of lines) {
      for (let cut = line.first; cut !== null && cut.startedAt + timeoutMs <= now; cut = line.first) {
        leave(cut);
        cut.cutLate();
      }
      // A reload may have taken the timeout away: its line must not stay for ever.
      if (line.first === null) lines.delete(timeoutMs);
      else nearest = Math.min(nearest, line.first.startedAt + timeoutMs);
    }
    if (nearest < timerAt) arm(nearest, now, stepMs);
  };

  const begin = (cut: Cut, timeoutMs: number): void => {
    const now = clock.monotonic();
    let line = lines.get(timeoutMs);
    if (line === undefined) lines.set(timeoutMs, (line = { first: null, last: null }));
    cut.startedAt = now;
    cut.line = line;
    cut.before = line.last;
    if (line.last === null) line.first = cut;
    else line.last.after = cut;
    line.last = cut;
    if (now + timeoutMs < timerAt) arm(now + timeoutMs, now, 0);
  };

  const end = (cut: Cut): number => {
    leave(cut);
    return clock.monotonic() - cut.startedAt;
  };

  return {
    begin,
    end,
    async run({ timeoutMs, cut }, work) {
      if (cut.isCut) return { kind: "aborted", durationMs: 0 };
      begin(cut, timeoutMs);
      try {
        const verdict = await work();
        return Object.assign(verdict, { durationMs: end(cut) });
      } catch (error) {
        const durationMs = end(cut);
        if (cut.isCut) return { kind: cut.isLate ? "timeout" : "aborted", durationMs };
        throw error;
      }
    },
  };
}
