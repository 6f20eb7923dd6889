import type { Clock } from "../clock.ts";
import { within } from "../wait.ts";
import { describeError } from "../log.ts";
import type { QueueDriver } from "../queue/driver.ts";

/** Whether the backend answers, as health probes see it. */
export interface DriverProbe {
  /** Null when the backend answered, else what went wrong; at most `freshMs` old. Never rejects. */
  check(): Promise<string | null>;
}

/** A probe's own timeout, below the 3 to 5 s that orchestrators give a health check by default. */
const timeoutMs = 2_000;
/** How long one answer serves: probes from many sides cost the backend one ping in this time. */
const freshMs = 1_000;

/** A probe that pings at most once at a time, and remembers the answer for a moment. */
export function createDriverProbe(driver: QueueDriver, clock: Clock): DriverProbe {
  let last: { at: number; problem: string | null } | null = null;
  let running: Promise<string | null> | null = null;

  const ping = async (): Promise<string | null> => {
    const problem = await within(timeoutMs, (signal) => driver.ping(signal)).then(
      () => null,
      (error: unknown) => describeError(error).message,
    );
    last = { at: clock.monotonic(), problem };
    running = null;
    return problem;
  };

  return {
    async check() {
      if (last !== null && clock.monotonic() - last.at < freshMs) return last.problem;
      running ??= ping();
      return running;
    },
  };
}
