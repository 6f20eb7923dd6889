import * as v from "valibot";
import { createMasker } from "../secrets/masker.ts";
import { namesOf, secretsOf } from "../secrets/collect.ts";
import { checkAcross } from "./cross.ts";
import { withHoles } from "./holes.ts";
import { describeContradictions, describeIssues, type Finding } from "./issues.ts";
import { configSchema, type Config } from "./schema.ts";
import { nodeAt } from "./schema-tree.ts";

/** What the schema, and the checks across keys, say of a configuration before its defaults. */
export interface TreeCheck {
  /** The effective configuration; null where the schema has something against it. */
  readonly config: Config | null;
  /** What is wrong, without what was known before. */
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
}

/**
 * The schema, then what relates keys to each other, over whatever of the configuration is sound.
 *
 * @param sourceOf Who set the value at a path.
 * @param earlier  What is known to be wrong already.
 */
export function checkTree(
  input: Record<string, unknown>,
  sourceOf: (path: readonly string[]) => string,
  earlier: readonly Finding[] = [],
): TreeCheck {
  const result = v.safeParse(configSchema, input);
  // Made when an issue quotes a value: with thousands of apps it takes longer than the check itself.
  let masker: ((text: string) => string) | null = null;
  const mask = (text: string): string => (masker ??= maskOf(input))(text);
  const unread = earlier.map(({ path }) => path).filter((path) => path.length > 0);
  const wrong = describeIssues(result.issues ?? [], mask).filter(
    ({ path }) => !unread.some((outer) => isWithin(path, outer)),
  );
  // Of a key that the schema does not know nothing follows for others.
  const known = unread.filter((path) => nodeAt(configSchema, path) !== undefined);
  const contradictions = describeContradictions(result.issues ?? [], known);
  const holes = [...wrong.map(({ path }) => path), ...unread];
  const across = checkAcross({
    input: withHoles(input, holes),
    config: withHoles(result.output as Config, holes),
    sourceOf,
  });
  return {
    config: result.success ? result.output : null,
    findings: [...wrong, ...contradictions, ...across.issues],
    warnings: across.warnings,
  };
}

const isWithin = (path: readonly string[], outer: readonly string[]): boolean =>
  outer.every((part, depth) => path[depth] === part);

/** The mask of a configuration that need not be sound. */
function maskOf(tree: unknown): (text: string) => string {
  const names = namesOf(tree);
  return createMasker(secretsOf(tree), { isName: (text) => names.has(text) });
}
