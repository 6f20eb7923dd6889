import type { Clock } from "../clock.ts";
import { DriverUnavailableError, QueueBrokenError, QueueFullError } from "../errors.ts";
import { describeError, type Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";

/** Whether the backend does for one queue what is asked of it. */
export interface BackendHealth {
  ok(operation: string): void;
  fault(operation: string, error: Error): void;
  /** The fault is too old to be told of any more, and nobody has tried since. */
  forget(operation: string): void;
}

/**
 * The faults of the backend that stand now, by queue and operation; each lasts until the operation succeeds.
 *
 * A problem is logged once when its first operation fails and once when none fails any more, not at every try.
 */
export interface BackendFaults {
  of(queue: string): BackendHealth;
  findings(): Finding[];
}

type FaultKind = "backend_unreachable" | "backend_refuses_writes";

interface Fault {
  readonly kind: FaultKind;
  readonly since: number;
  readonly message: string;
  /** What the backend refused with; null when it did not answer. */
  readonly refusal: string | null;
}

const words: Readonly<Record<FaultKind, { begin: string; end: string }>> = {
  backend_unreachable: {
    begin: "the backend does not answer; trying again until it does",
    end: "the backend answers again",
  },
  backend_refuses_writes: {
    begin: "the backend refuses writes; trying again until it takes them",
    end: "the backend takes writes again",
  },
};

export function createBackendFaults(log: Logger, clock: Clock): BackendFaults {
  const queues = new Map<string, Map<string, Fault>>();

  const stands = (faults: ReadonlyMap<string, Fault>, kind: FaultKind): boolean =>
    [...faults.values()].some((fault) => fault.kind === kind);

  const create = (queue: string): BackendHealth => {
    const faults = new Map<string, Fault>();
    queues.set(queue, faults);
    const clear = (operation: string, end?: string): void => {
      const fault = faults.get(operation);
      if (fault === undefined) return;
      faults.delete(operation);
      if (!stands(faults, fault.kind)) log.info(end ?? words[fault.kind].end, { queue, operation });
    };
    return {
      ok(operation) {
        if (faults.size > 0) clear(operation);
      },
      fault(operation, error) {
        // The driver tells of it by itself, and knows what is broken (queue_broken).
        if (error instanceof QueueBrokenError) return clear(operation);
        const { kind, refusal } = faultOf(error);
        const before = faults.get(operation);
        if (before !== undefined && before.kind !== kind) clear(operation);
        if (!stands(faults, kind)) log.warn(words[kind].begin, { queue, operation, error });
        const since = before?.kind === kind ? before.since : clock.now();
        faults.set(operation, { kind, since, message: describeError(error).message, refusal });
      },
      forget: (operation) => clear(operation, "nobody has tried for long; the fault is taken for over"),
    };
  };
  const healths = new Map<string, BackendHealth>();

  return {
    of(queue) {
      let health = healths.get(queue);
      if (health === undefined) healths.set(queue, (health = create(queue)));
      return health;
    },
    findings: () =>
      [...queues].flatMap(([queue, faults]) =>
        [...faults].map(([operation, fault]) => findingOf(queue, operation, fault)),
      ),
  };
}

/** What the failure of a call says of the backend, and what it refused with. */
export function faultOf(error: Error): { readonly kind: FaultKind; readonly refusal: string | null } {
  if (error instanceof QueueFullError) return { kind: "backend_refuses_writes", refusal: "full" };
  const refusal = error instanceof DriverUnavailableError ? error.refusal : null;
  return { kind: refusal === null ? "backend_unreachable" : "backend_refuses_writes", refusal };
}

/** The finding of a driver that cannot be opened. */
export function openingFinding(error: Error, since: number): Finding {
  return findingOf("", "connecting", { ...faultOf(error), since, message: describeError(error).message });
}

function findingOf(queue: string, operation: string, fault: Fault): Finding {
  const { kind, since, refusal } = fault;
  return {
    kind,
    object: queue,
    since,
    detail: `${operation}: ${fault.message}`,
    ...(refusal === null ? {} : { openDetail: `the backend refuses writes (${refusal})` }),
  };
}
