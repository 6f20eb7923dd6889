import { describeError, type Logger } from "../log.ts";

/**
 * Whether the backend answers this queue's children; what /health shows as degraded.
 *
 * A fault is logged once when it begins and once when it is over, not at every try.
 */
export interface BackendHealth {
  ok(operation: string): void;
  fault(operation: string, error: Error): void;
  /** The faults standing now, one a failing operation. */
  faults(): { operation: string; message: string }[];
}

export function createBackendHealth(queue: string, log: Logger): BackendHealth {
  const standing = new Map<string, string>();
  return {
    ok(operation) {
      if (standing.size === 0 || !standing.delete(operation)) return;
      log.info("the backend answers again", { queue, operation });
    },
    fault(operation, error) {
      if (!standing.has(operation)) {
        log.warn("the backend does not answer; trying again until it does", { queue, operation, error });
      }
      standing.set(operation, describeError(error).message);
    },
    faults: () => [...standing].map(([operation, message]) => ({ operation, message })),
  };
}
