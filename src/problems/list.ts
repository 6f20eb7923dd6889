import type { Finding, FindingSource } from "./finding.ts";
import { problemKinds, type Kind, type ProblemKind, type Severity } from "./kinds.ts";

/** A finding with what its kind says of it. */
export interface Problem extends Finding {
  /** The same while it stands, and when it comes back: the kind, and the object where there is one. */
  readonly id: string;
  readonly severity: Severity;
  readonly remedy: string;
}

/** What stands wrong now. */
export interface ProblemList {
  /** The gravest first, and of equal ones the newest. */
  list(): readonly Problem[];
}

const longestDetail = 500;
const gravity: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

/**
 * Gathers the findings of every part of the process.
 *
 * Findings of one kind about one object are one problem: it began with the first of them, and says what each
 * says. Costs no round trip and keeps nothing between two calls.
 */
export function createProblemList(sources: readonly FindingSource[]): ProblemList {
  return {
    list() {
      const byId = new Map<string, Finding[]>();
      for (const source of sources) {
        for (const finding of source()) {
          const id = problemId(finding);
          const same = byId.get(id);
          if (same === undefined) byId.set(id, [finding]);
          else same.push(finding);
        }
      }
      return [...byId].map(([id, findings]) => problemOf(id, findings)).toSorted(graverFirst);
    },
  };
}

/** How many problems stand of each kind; 0 for those of which there is none. */
export function countByKind(problems: readonly Problem[]): Map<ProblemKind, number> {
  const counts = new Map(Object.keys(problemKinds).map((kind) => [kind as ProblemKind, 0]));
  for (const { kind } of problems) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function problemId({ kind, object }: Finding): string {
  return object === "" ? kind : `${kind}:${object}`;
}

function problemOf(id: string, findings: readonly Finding[]): Problem {
  const { kind, object } = findings[0] as Finding;
  const { severity, remedy, summary }: Kind = problemKinds[kind];
  const openDetail = joined(findings.map((finding) => finding.openDetail ?? summary));
  return {
    id,
    kind,
    severity,
    object,
    since: Math.min(...findings.map(({ since }) => since)),
    detail: joined(findings.map(({ detail }) => detail)),
    ...(openDetail === summary ? {} : { openDetail }),
    remedy,
  };
}

function joined(details: readonly string[]): string {
  const text = [...new Set(details)].join("; ");
  return text.length <= longestDetail ? text : `${text.slice(0, longestDetail - 1)}…`;
}

function graverFirst(one: Problem, other: Problem): number {
  return (
    gravity[one.severity] - gravity[other.severity] || other.since - one.since || (one.id < other.id ? -1 : 1)
  );
}
