import type { Clock } from "../../../clock.ts";
import { DriverUnavailableError, QueueBrokenError, QueueFullError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import { translateError } from "./errors.ts";

/** What keeps the blocked wait of one queue from working; logged once when it begins and once at its end. */
export interface WaitTrouble {
  met(error: Error): void;
  over(): void;
  finding(): Finding | null;
}

/**
 * A connection that is cut, or a server that hands its part over, fails one wait; only a second failure in a row is
 * trouble. What a server refuses for a reason that it names is trouble at once.
 */
const toleratedFailures = 1;
const handovers = new Set(["MOVED", "ASK", "TRYAGAIN", "UNBLOCKED"]);

export function createWaitTrouble(options: {
  readonly queue: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** What somebody must mend is told with the queue's other trouble (queue-trouble.ts). */
  readonly onBroken: (error: Error) => void;
  readonly onWorks: () => void;
}): WaitTrouble {
  const { queue, clock, log } = options;
  let failures = 0;
  let standing: Finding | null = null;

  const end = (): void => {
    if (standing === null) return;
    standing = null;
    log.info("redis: waiting for jobs works again", { queue });
  };

  return {
    met(error) {
      failures += 1;
      const fault = translateError(error, "waiting for jobs");
      if (fault instanceof QueueBrokenError) {
        end();
        options.onBroken(fault);
        return;
      }
      const refusal = refusalOf(fault);
      const isLasting = refusal !== null && !handovers.has(refusal);
      if (failures <= toleratedFailures && !isLasting) return;
      const kind = refusal === null ? "backend_unreachable" : "backend_refuses_writes";
      if (standing === null) log.warn("redis: waiting for jobs fails", { queue, error: fault });
      standing = {
        kind,
        object: queue,
        since: standing?.kind === kind ? standing.since : clock.now(),
        detail: fault.message,
        ...(refusal === null ? {} : { openDetail: `the backend refuses writes (${refusal})` }),
      };
    },
    over() {
      failures = 0;
      end();
      options.onWorks();
    },
    finding: () => standing,
  };
}

/** The code that Redis refused with; null where it did not answer. */
function refusalOf(fault: Error): string | null {
  if (fault instanceof QueueFullError) return "full";
  return fault instanceof DriverUnavailableError ? fault.refusal : null;
}
