import type * as v from "valibot";
import type { ConfigIssue } from "../errors.ts";
import { isObject, type Layers } from "./layers.ts";
import { configSchema } from "./schema.ts";
import type { Secrecy } from "./kinds.ts";
import { redactUrl } from "./secret-url.ts";
import { expectationOf, nodeAt, secrecyOf } from "./schema-tree.ts";

/** An issue of the schema, with its path in parts. */
export interface SchemaIssue {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * The schema's issues in the words of contract §2: "expected an integer of at least 1, got "five"".
 *
 * @param mask Applied to a value before it is quoted; the value of a secret key is never quoted at all.
 */
export function describeIssues(
  issues: readonly v.BaseIssue<unknown>[],
  mask: (text: string) => string,
): SchemaIssue[] {
  const found = new Map<string, SchemaIssue>();
  for (const issue of issues.flatMap(branchOf)) {
    const path = pathOf(issue);
    const described = { path, message: describe(issue, path, mask) };
    // A number that is no integer is out of every range as well: one message per value.
    if (!found.has(path.join("."))) found.set(path.join("."), described);
  }
  return [...found.values()];
}

/** Issues with the name of the source that gave the value. */
export function attribute(issues: readonly SchemaIssue[], layers: Layers): ConfigIssue[] {
  return issues.map(({ path, message }) => ({
    path: path.join("."),
    source: layers.sourceAround(path),
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
  const secrecy = node === undefined ? null : secrecyOf(node);
  return `expected ${expected}, got ${show(issue.input, secrecy, mask, expected)}`;
}

function show(
  value: unknown,
  secrecy: Secrecy | null,
  mask: (text: string) => string,
  expected: string,
): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (isObject(value)) return "an object";
  if (value === "") return "an empty string";
  if (secrecy !== null && value !== null) {
    const url = typeof value === "string" && secrecy !== "value" ? redactUrl(value, secrecy) : "***";
    return url === "***" ? `a ${typeof value} that is not shown` : JSON.stringify(url);
  }
  if (typeof value !== "string") return String(value);
  const quoted = JSON.stringify(mask(value.length > 80 ? `${value.slice(0, 80)}…` : value));
  // "80" looks like the number it is not.
  return /integer|number|true or false/.test(expected) && /^[\d.]+$|^(?:true|false)$/.test(value)
    ? `the string ${quoted}`
    : quoted;
}
