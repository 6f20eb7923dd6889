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
 * @param value Just read, and nobody else's: objects and arrays in it are changed where they stand. Thousands of apps
 *              take long to copy.
 * @returns undefined where the value as a whole was reported.
 */
export function admit(root: SchemaNode, value: unknown, path: readonly string[], report: Report): unknown {
  /** Where the value that is looked at stands. One array for all: a path for each value costs more than the look. */
  const here = [...path];
  const tell = (message: string): void => report([...here], message);

  const visitEach = (list: unknown[], item: SchemaNode | null): void => {
    for (const [index, element] of list.entries()) {
      here.push(String(index));
      list[index] = item === null ? visitFree(element) : visit(item, element);
      here.pop();
    }
  };
  /** A value of which the schema says nothing. */
  const visitFree = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) visitEach(value, null);
    else {
      for (const key of Object.keys(value)) {
        here.push(key);
        if (forbiddenNames.has(key)) refuse(value as Branch, key, "is not a usable name");
        else (value as Branch)[key] = visitFree((value as Branch)[key]);
        here.pop();
      }
    }
    return value;
  };
  const refuse = (object: Branch, key: string, message: string): void => {
    tell(message);
    delete object[key];
  };
  const visitObject = (object: Branch, node: SchemaNode): void => {
    const isRecord = node.type === "record";
    for (const key of Object.keys(object)) {
      here.push(key);
      if (forbiddenNames.has(key)) refuse(object, key, isRecord ? "is not a usable name" : "unknown key");
      else if (isRecord) object[key] = visit(node.value as SchemaNode, object[key]);
      else if (node.entries !== undefined && Object.hasOwn(node.entries, key)) {
        object[key] = visit(node.entries[key] as SchemaNode, object[key]);
      } else refuse(object, key, `unknown key${hint(key, Object.keys(node.entries ?? {}))}`);
      here.pop();
    }
  };
  const visit = (node: SchemaNode, value: unknown): unknown => {
    if (typeof value === "string") return foldCase(node, value);
    if (typeof value !== "object" || value === null) return value;
    if (alternatives(node).some(({ type }) => type === "unknown")) return visitFree(value);
    if (Array.isArray(value)) {
      const list = arrayNode(node);
      if (list?.item !== undefined) visitEach(value, list.item);
      else tell(`expected ${expectationOf(node)}, got an array`);
      return list?.item === undefined ? undefined : value;
    }
    const object = objectNode(node);
    if (object !== undefined) visitObject(value as Branch, object);
    return value;
  };
  return visit(root, value);
}

type Branch = Record<string, unknown>;

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
  for (const alternative of alternatives(node)) {
    const words = wordsOf(alternative);
    if (words.includes(word)) return word;
    const lower = words.length === 0 ? "" : word.toLowerCase();
    const known = words.find((one) => one.toLowerCase() === lower);
    if (known !== undefined) return known;
  }
  return word;
}
