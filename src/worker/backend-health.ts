import { refusesCredentials } from "../aws-credentials.ts";
import type { Clock } from "../clock.ts";
import { DriverUnavailableError, QueueBrokenError, QueueFullError } from "../errors.ts";
import { describeError, type Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";
import { problemKinds } from "../problems/kinds.ts";

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

type FaultKind = "backend_unreachable" | "backend_refuses_writes" | "credentials_expired" | "clock_off";

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
  credentials_expired: {
    begin: "the backend does not accept the credentials; looking for others until it does",
    end: "the backend accepts the credentials",
  },
  clock_off: {
    begin: "the backend refuses requests because this machine's clock is off",
    end: "the backend accepts the time of requests again",
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
  if (refusal === null) return { kind: "backend_unreachable", refusal };
  if (isOfTime(error, refusal)) return { kind: "clock_off", refusal };
  const isOfCredentials = refusesCredentials(refusal) || credentialRefusals.has(refusal);
  return { kind: isOfCredentials ? "credentials_expired" : "backend_refuses_writes", refusal };
}

/** Redis' codes, and the SDK's where it finds no credentials; AWS' own are in aws-credentials.ts. */
const credentialRefusals: ReadonlySet<string> = new Set([
  "CredentialsProviderError",
  "NOAUTH",
  "NotAuthorized",
  "TokenProviderError",
  "WRONGPASS",
]);

/** AWS has codes of its own for a request whose time is off, and uses those of a wrong signature too; then the text tells. */
function isOfTime(error: Error, refusal: string): boolean {
  if (refusal === "RequestExpired" || refusal === "RequestTimeTooSkewed") return true;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (/signature (?:has )?expired|signature not yet current/i.test(cause.message)) return true;
  }
  return false;
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
    ...(refusal === null ? {} : { openDetail: `${problemKinds[kind].summary} (${refusal})` }),
  };
}
