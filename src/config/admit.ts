import { suggest } from "../suggest.ts";
import { configSchema } from "./schema.ts";
import {
  alternatives,
  arrayNode,
  expectationOf,
  knownPaths,
  objectNode,
  wordsOf,
  type SchemaNode,
} from "./schema-tree.ts";

/** Takes one problem: where, and what. */
export type Report = (path: readonly string[], message: string) => void;

/** Names that reach into JavaScript's own objects, and that valibot's records skip without a word. */
export const forbiddenNames: ReadonlySet<string> = new Set(["__proto__", "prototype", "constructor"]);

/**
 * What a source gave, fit to be merged: keys the schema does not know are reported and left out, words of
 * enumerations are in the schema's own case, and no key can reach an object's prototype.
 *
 * Values are not checked here, with one exception: an array where an object is wanted, which valibot
 * would take for an object without keys.
 *
 * @returns undefined where the value as a whole was reported.
 */
export function admit(root: SchemaNode, value: unknown, path: readonly string[], report: Report): unknown {
  const visit = (node: SchemaNode, value: unknown, path: readonly string[]): unknown => {
    if (typeof value === "string") return foldCase(node, value);
    if (typeof value !== "object" || value === null) return value;
    if (alternatives(node).some(({ type }) => type === "unknown"))
      return withoutForbiddenNames(value, path, report);
    if (Array.isArray(value)) {
      const list = arrayNode(node);
      if (list?.item === undefined) {
        report(path, `expected ${expectationOf(node)}, got an array`);
        return undefined;
      }
      const { item } = list;
      return value.map((element, index) => visit(item, element, [...path, String(index)]));
    }
    const object = objectNode(node);
    if (object === undefined) return value;
    const admitted: Record<string, unknown> = {};
    for (const [key, child] of Object.entries(value)) {
      const childPath = [...path, key];
      if (forbiddenNames.has(key)) {
        report(childPath, object.type === "record" ? "is not a usable name" : "unknown key");
      } else if (object.type === "record") {
        admitted[key] = visit(object.value as SchemaNode, child, childPath);
      } else if (object.entries !== undefined && Object.hasOwn(object.entries, key)) {
        admitted[key] = visit(object.entries[key] as SchemaNode, child, childPath);
      } else {
        report(childPath, `unknown key${hint(key, Object.keys(object.entries ?? {}))}`);
      }
    }
    return admitted;
  };
  return visit(root, value, path);
}

/** `, did you mean "…"?`: the nearest key that may stand here, else the place where such a key does stand. */
export function hint(key: string, siblings: readonly string[]): string {
  const snake = key
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll("-", "_")
    .toLowerCase();
  const isPart = (known: string): boolean => known.startsWith(snake) || snake.startsWith(known);
  const meant =
    siblings.find((known) => known === snake) ??
    suggest(snake, siblings) ??
    (snake.length < 3 ? undefined : siblings.find(isPart)) ??
    knownPaths(configSchema)
      .find((path) => path.at(-1) === snake)
      ?.join(".");
  return meant === undefined ? "" : `, did you mean "${meant}"?`;
}

function foldCase(node: SchemaNode, word: string): string {
  const words = alternatives(node).flatMap(wordsOf);
  return words.find((known) => known.toLowerCase() === word.toLowerCase()) ?? word;
}

function withoutForbiddenNames(value: unknown, path: readonly string[], report: Report): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((element, index) => withoutForbiddenNames(element, [...path, String(index)], report));
  }
  const kept: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    if (forbiddenNames.has(key)) report([...path, key], "is not a usable name");
    else kept[key] = withoutForbiddenNames(child, [...path, key], report);
  }
  return kept;
}
