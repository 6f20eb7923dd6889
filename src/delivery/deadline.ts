import type { Clock } from "../clock.ts";
import type { Outcome, Verdict } from "./outcome.ts";

/**
 * Runs one attempt under its one total deadline: `timeout` when that passes, `aborted` when the caller
 * aborts `cut`, else what the work itself comes to.
 *
 * The work must end at once when its signal, which is that of `cut`, aborts; what it throws then is not looked
 * at. Anything else it throws is passed on.
 */
export async function withDeadline(
  { timeoutMs, cut }: { readonly timeoutMs: number; readonly cut: AbortController },
  clock: Clock,
  work: (signal: AbortSignal) => Promise<Verdict>,
): Promise<Outcome> {
  const { signal } = cut;
  if (signal.aborted) return { kind: "aborted", durationMs: 0 };
  const started = clock.monotonic();
  let timedOut = false;
  // Not AbortSignal.timeout: its timers live on after the attempt (runtime-facts §12).
  const timer = setTimeout(() => {
    if (signal.aborted) return;
    timedOut = true;
    cut.abort();
  }, timeoutMs);
  try {
    const verdict = await work(signal);
    return { ...verdict, durationMs: clock.monotonic() - started };
  } catch (error) {
    const durationMs = clock.monotonic() - started;
    if (timedOut) return { kind: "timeout", durationMs };
    if (signal.aborted) return { kind: "aborted", durationMs };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
