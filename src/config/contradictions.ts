import type * as v from "valibot";
import { withHoles, type Loose } from "./holes.ts";

type KeyPath = readonly (string | number)[];

/**
 * Reports one contradiction.
 *
 * @param at The key it is shown at, from the checked value on.
 * @param of Every key that takes part; `at` where it is left out. Where the environment or a flag could not be read for
 *           one of them, nothing is known of it and the contradiction is dropped.
 */
export type Contradict = (at: KeyPath, message: string, of?: readonly KeyPath[]) => void;

/** An issue that `contradictions` reports; its message is a sentence of its own. */
export interface Contradiction extends v.BaseIssue<unknown> {
  readonly kind: "validation";
  readonly type: "contradiction";
  /** The keys that take part, from the value on whose path is the issue's without its last `depth` parts. */
  readonly requirement: { readonly of: readonly KeyPath[]; readonly depth: number };
}

/**
 * The last step of a schema's pipe before it is transformed: what several keys say against each other.
 *
 * It runs beside wrong neighbours too, so that all issues are listed at once: a value that is wrong in itself is
 * undefined for it, with its key in place.
 */
export function contradictions<Value>(
  find: (value: Loose<Value>, contradict: Contradict) => void,
): v.BaseValidation<Value, Value, Contradiction> {
  const action = {
    kind: "validation",
    type: "contradiction",
    reference: contradictions,
    async: false,
    expects: null,
    "~run"(dataset: v.OutputDataset<Value, v.BaseIssue<unknown>>) {
      const wrong = (dataset.issues ?? []).filter((issue) => !isContradiction(issue));
      const { value } = dataset;
      if (typeof value !== "object" || value === null) return dataset;
      const paths = wrong.map(({ path = [] }) => path.map(({ key }) => key as string | number));
      const found: Contradiction[] = [];
      find(withHoles(value as Value, paths), (at, message, of = [at]) => {
        const path = at.map((key) => ({
          type: "unknown",
          origin: "value",
          input: value,
          key,
          value: undefined,
        }));
        found.push({
          kind: "validation",
          type: "contradiction",
          input: value,
          expected: null,
          received: "",
          message,
          requirement: { of, depth: at.length },
          ...(path.length === 0 ? {} : { path: path as unknown as [v.IssuePathItem, ...v.IssuePathItem[]] }),
        });
      });
      if (found.length === 0) return dataset;
      return { ...dataset, issues: [...(dataset.issues ?? []), ...found] };
    },
  };
  return action as unknown as v.BaseValidation<Value, Value, Contradiction>;
}

/** Whether an issue of the schema is one that `contradictions` reported. */
export const isContradiction = (issue: v.BaseIssue<unknown>): issue is Contradiction =>
  issue.type === "contradiction";

/** Whether one of the keys that take part is at, above or below one of these paths. */
export function touches(issue: Contradiction, paths: readonly (readonly string[])[]): boolean {
  if (paths.length === 0) return false;
  const own = (issue.path ?? []).map(({ key }) => String(key));
  const base = own.slice(0, own.length - issue.requirement.depth);
  const parts = issue.requirement.of.map((path) => [...base, ...path.map(String)]);
  return parts.some((part) =>
    paths.some((path) => part.slice(0, path.length).every((key, depth) => key === path[depth])),
  );
}
