import type { Clock } from "../clock.ts";
import type { Outcome, Verdict } from "./outcome.ts";

/**
 * Runs one attempt under its one total deadline: `timeout` when that passes, `aborted` when the caller's
 * signal aborts, else what the work itself comes to.
 *
 * The work must end at once when its signal aborts; what it throws then is not looked at. Anything else
 * it throws is passed on.
 */
export async function withDeadline(
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  clock: Clock,
  work: (signal: AbortSignal) => Promise<Verdict>,
): Promise<Outcome> {
  if (signal.aborted) return { kind: "aborted", durationMs: 0 };
  const started = clock.monotonic();
  const controller = new AbortController();
  let timedOut = false;
  // Not AbortSignal.timeout: its timers live on after the attempt (runtime-facts §12).
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);
  const abort = (): void => controller.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const verdict = await work(controller.signal);
    return { ...verdict, durationMs: clock.monotonic() - started };
  } catch (error) {
    const durationMs = clock.monotonic() - started;
    if (timedOut) return { kind: "timeout", durationMs };
    if (signal.aborted) return { kind: "aborted", durationMs };
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
