import type { Clock } from "../clock.ts";
import type { Cut } from "./cut.ts";
import type { Outcome, Verdict } from "./outcome.ts";

/**
 * Runs one attempt under its one total deadline: `timeout` when that passes, `aborted` when the caller
 * cuts it off, else what the work itself comes to.
 *
 * The work must end at once when `cut` is cut; what it throws then is not looked at. Anything else it throws
 * is passed on. Its verdict must be an object of its own, for the duration is put into it.
 */
export async function withDeadline(
  { timeoutMs, cut }: { readonly timeoutMs: number; readonly cut: Cut },
  clock: Clock,
  work: () => Promise<Verdict>,
): Promise<Outcome> {
  if (cut.isCut) return { kind: "aborted", durationMs: 0 };
  const started = clock.monotonic();
  let timedOut = false;
  // Not AbortSignal.timeout: its timers live on after the attempt (runtime-facts §12).
  const timer = setTimeout(() => {
    if (cut.isCut) return;
    timedOut = true;
    cut.cut();
  }, timeoutMs);
  try {
    const verdict = await work();
    return Object.assign(verdict, { durationMs: clock.monotonic() - started });
  } catch (error) {
    const durationMs = clock.monotonic() - started;
    if (timedOut) return { kind: "timeout", durationMs };
    if (cut.isCut) return { kind: "aborted", durationMs };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
