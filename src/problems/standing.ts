import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "./finding.ts";
import type { ProblemKind } from "./kinds.ts";

/** Findings of one kind, one for each object, that stand until they are said to be over. */
export interface Standing {
  /** It stands, with this detail now; null: it does not. Logged when it begins and when it is over. */
  say(object: string, detail: string | null): void;
  stands(object: string): boolean;
  findings(): Finding[];
}

/**
 * @param words What the log says when one begins and when it is over.
 * @param field Under which name the log gives the object.
 */
export function createStanding(
  kind: ProblemKind,
  {
    clock,
    log,
    words,
    field,
  }: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly words: { readonly begin: string; readonly end: string };
    readonly field: "queue" | "endpoint" | "server";
  },
): Standing {
  const found = new Map<string, { readonly since: number; detail: string }>();
  return {
    say(object, detail) {
      const known = found.get(object);
      if (detail === null) {
        if (known === undefined) return;
        found.delete(object);
        log.info(words.end, { [field]: object });
      } else if (known === undefined) {
        found.set(object, { since: clock.now(), detail });
        log.warn(words.begin, { [field]: object, detail });
      } else known.detail = detail;
    },
    stands: (object) => found.has(object),
    findings: () => [...found].map(([object, { since, detail }]) => ({ kind, object, since, detail })),
  };
}
