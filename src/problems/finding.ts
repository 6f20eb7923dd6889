import type { ProblemKind } from "./kinds.ts";

/**
 * One thing that needs somebody, as the part that knows of it reports it.
 *
 * Severity, remedy and documentation are the kind's (kinds.ts), never the reporter's. Whoever reports it also
 * logs it: once when it begins (warn) and once when it is over (info).
 */
export interface Finding {
  readonly kind: ProblemKind;
  /** What is in trouble: a queue's name, an endpoint's label, a loop's id; "" for the process or its backend. */
  readonly object: string;
  /** Epoch ms at which it began, by this process' clock. */
  readonly since: number;
  /** One sentence for people: what is wrong, with figures. At most 500 characters, no secrets. */
  readonly detail: string;
  /**
   * What /health says instead of the kind's summary. /health is open to anyone: no endpoint, app, token or
   * host may be named here. Queues may.
   */
  readonly openDetail?: string;
}

/** Asked whenever somebody wants to know; answers from memory, without a round trip. */
export type FindingSource = () => readonly Finding[];
