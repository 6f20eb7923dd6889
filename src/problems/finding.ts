import type { ProblemKind } from "./kinds.ts";

/**
 * One thing that needs somebody, as the part that knows of it reports it.
 *
 * Severity, remedy and documentation are the kind's (kinds.ts), never the reporter's.
 */
export interface Finding {
  readonly kind: ProblemKind;
  /** What is in trouble: a queue's name, an endpoint's label, a loop's id; "" for the process or its backend. */
  readonly object: string;
  /** Epoch ms at which it began, by this process' clock. */
  readonly since: number;
  /** One sentence for people: what is wrong, with figures. At most 500 characters, no secrets. */
  readonly detail: string;
}
