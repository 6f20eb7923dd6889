import type * as v from "valibot";
import type { ConfigIssue } from "../errors.ts";
import { isObject, type Layers } from "./layers.ts";
import { configSchema } from "./schema.ts";
import { isContradiction, touches } from "./contradictions.ts";
import { showPath } from "./shown-path.ts";
import { isShowable, quote } from "../secrets/showable.ts";
import { expectationOf, isFreeOfSecrets, nodeAt } from "./schema-tree.ts";

/** An issue before it is shown: its path in parts, as written. */
export interface Finding {
  readonly path: readonly string[];
  readonly message: string;
  /** Where it was found; left out for what the merged configuration says, which has many sources. */
  readonly source?: string;
}

/**
 * The schema's issues in the words of contract §2: "expected an integer of at least 1, got "five"".
 *
 * A text is quoted only where the schema knows of no secret at, around or below its place, and it does not look
 * like one either (secrets/showable.ts); of any other only its type and length are said.
 *
 * @param mask Applied to a value before it is quoted.
 */
export function describeIssues(
  issues: readonly v.BaseIssue<unknown>[],
  mask: (text: string) => string,
): Finding[] {
  const found = new Map<string, Finding>();
  for (const issue of issues.flatMap(branchOf)) {
    if (isContradiction(issue)) continue;
    const path = pathOf(issue);
    const described = { path, message: describe(issue, path, mask) };
    // A number that is no integer is out of every range as well: one message per value.
    if (!found.has(path.join("."))) found.set(path.join("."), described);
  }
  return [...found.values()];
}

/**
 * What the schema found between keys (contradictions.ts).
 *
 * @param unread Paths of which nothing is known, as they could not be read; what they take part in is left out.
 */
export function describeContradictions(
  issues: readonly v.BaseIssue<unknown>[],
  unread: readonly (readonly string[])[],
): Finding[] {
  return issues
    .flatMap(branchOf)
    .filter((issue) => isContradiction(issue) && !touches(issue, unread))
    .map((issue) => ({ path: pathOf(issue), message: issue.message }));
}

/** Findings as they are shown, each with the name of the source that gave the value. */
export function attribute(findings: readonly Finding[], layers: Layers): ConfigIssue[] {
  return findings.map(({ path, message, source }) => ({
    path: showPath(path),
    source: source ?? layers.sourceAround(path),
    message,
  }));
}

const pathOf = (issue: v.BaseIssue<unknown>): string[] => (issue.path ?? []).map(({ key }) => String(key));

/** Of a union's branches, the one that the value was meant for: it went deeper than its mere type. */
function branchOf(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown>[] {
  const branches = issue.issues ?? [];
  if (issue.type !== "union" || branches.length === 0) return [issue];
  const outer = issue.path ?? [];
  const meant = branches.flatMap(branchOf).filter((branch) => {
    return (branch.path?.length ?? 0) > 0 || branch.kind === "validation";
  });
  const joined = meant.map((branch) => {
    const path = [...outer, ...(branch.path ?? [])];
    return { ...branch, path } as v.BaseIssue<unknown>;
  });
  return joined.length === 0 ? [issue] : joined;
}

function describe(
  issue: v.BaseIssue<unknown>,
  path: readonly string[],
  mask: (text: string) => string,
): string {
  // A check's message is a sentence of its own.
  if (issue.type === "check") return issue.message;
  const node = nodeAt(configSchema, path);
  const expected =
    issue.message.startsWith("Invalid ") && node !== undefined ? expectationOf(node) : issue.message;
  if (issue.type === "strict_object" && issue.input === undefined) return `is missing: expected ${expected}`;
  if (path.length > 0 && issue.input === undefined) return `is missing: expected ${expected}`;
  // A record's key that is wrong is reported at its own path, which belongs to the value.
  const isKey = issue.path?.at(-1)?.origin === "key";
  const isFree = isKey || isFreeOfSecrets(configSchema, path);
  return `expected ${expected}, got ${show(issue.input, isFree, mask, expected)}`;
}

function show(value: unknown, isFree: boolean, mask: (text: string) => string, expected: string): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (isObject(value)) return "an object";
  if (value === "") return "an empty string";
  if (typeof value !== "string") {
    return isFree || typeof value !== "number" ? String(value) : "a number that is not shown";
  }
  if (!isFree || !isShowable(value)) {
    const [scheme] = /^(?:https?|rediss?|ftp|wss?|amqps?|socks[45]h?):\/\//i.exec(value) ?? [];
    const length = `a string of ${value.length} character${value.length === 1 ? "" : "s"}`;
    return scheme === undefined ? length : `${length} that begins with ${scheme.toLowerCase()}`;
  }
  const quoted = quote(mask(value));
  // "80" looks like the number it is not.
  return /integer|number|true or false/.test(expected) && /^[\d.]+$|^(?:true|false)$/.test(value)
    ? `the string ${quoted}`
    : quoted;
}
