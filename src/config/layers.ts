import { showPath } from "./shown-path.ts";

/** The merged configuration before the schema has seen it, and who said what. */
export interface Layers {
  readonly tree: Record<string, unknown>;
  /**
   * Puts a value at a path: objects merge key by key, everything else replaces what stood there.
   *
   * @returns what is wrong with the path (an index that leaves a gap), or null.
   */
  readonly assign: (path: readonly string[], value: unknown, source: string) => string | null;
  /** Who set the value at this path, "default" when nobody did. */
  readonly sourceOf: (path: readonly string[]) => string;
  /** As sourceOf, and for a value that is missing: who set what stands around it. */
  readonly sourceAround: (path: readonly string[]) => string;
  /** What stands at a path. */
  readonly at: (path: readonly string[]) => unknown;
}

type Branch = Record<string, unknown>;

export const isObject = (value: unknown): value is Branch =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Empty layers; assign the sources in order, the strongest last. */
export function createLayers(): Layers {
  const tree: Branch = {};
  /**
   * Who gave the value at a path, with all that stands in it unless a longer path is here too. Not a path for each key:
   * thousands of apps have hundreds of thousands.
   */
  const sources = new Map<string, string>();
  const keyOf = (path: readonly string[]): string => path.join(".");

  const at = (path: readonly string[]): unknown => {
    let value: unknown = tree;
    for (const key of path) {
      value =
        typeof value === "object" && value !== null && Object.hasOwn(value, key)
          ? (value as Branch)[key]
          : undefined;
    }
    return value;
  };

  const forget = (path: readonly string[]): void => {
    const key = keyOf(path);
    for (const known of sources.keys())
      if (known === key || known.startsWith(`${key}.`)) {
        sources.delete(known);
      }
  };

  /** The object or array that holds the last key of the path, made where it is missing. */
  const holderOf = (path: readonly string[], source: string): Branch | string => {
    let holder: Branch = tree;
    for (const [depth, key] of path.entries()) {
      const gap = gapProblem(holder, path.slice(0, depth), key);
      if (gap !== null) return gap;
      if (depth === path.length - 1) break;
      const next = holder[key];
      if (typeof next === "object" && next !== null) holder = next as Branch;
      else {
        forget(path.slice(0, depth + 1));
        sources.set(keyOf(path.slice(0, depth + 1)), source);
        holder = holder[key] = (/^\d+$/.test(path[depth + 1] ?? "") ? [] : {}) as Branch;
      }
    }
    return holder;
  };

  const assign = (path: readonly string[], value: unknown, source: string): string | null => {
    if (value === undefined) return null;
    if (isObject(value) && (path.length === 0 || isObject(at(path)))) {
      for (const [key, child] of Object.entries(value)) {
        const problem = assign([...path, key], child, source);
        if (problem !== null) return problem;
      }
      return null;
    }
    const holder = holderOf(path, source);
    if (typeof holder === "string") return holder;
    holder[path.at(-1) as string] = value;
    forget(path);
    sources.set(keyOf(path), source);
    return null;
  };

  /** The source of the nearest value around a path that came as one; its own too. */
  const giverOf = (path: readonly string[]): string | undefined => {
    for (let length = path.length; length > 0; length -= 1) {
      const source = sources.get(keyOf(path.slice(0, length)));
      if (source !== undefined) return source;
    }
    return undefined;
  };

  const sourceOf = (path: readonly string[]): string => {
    for (let length = path.length; length > 0; length -= 1) {
      const value = at(path.slice(0, length));
      if (value === undefined) continue;
      // An object that is not empty has as many sources as keys, and what an object does not hold is a default.
      const isBranch = typeof value === "object" && value !== null;
      const isOpen = isObject(value) && length < path.length;
      if (isOpen || (isBranch && Object.keys(value).length > 0)) return "default";
      return giverOf(path.slice(0, length)) ?? "default";
    }
    return "default";
  };

  const sourceBelow = (path: readonly string[]): string | undefined => {
    const prefix = `${keyOf(path)}.`;
    for (const [known, source] of sources) if (known.startsWith(prefix)) return source;
    return undefined;
  };

  const sourceAround = (path: readonly string[]): string => {
    const own = sourceOf(path);
    if (own !== "default") return own;
    for (let length = path.length; length > 0; length -= 1) {
      const outer = path.slice(0, length);
      const source = at(outer) === undefined ? undefined : (giverOf(outer) ?? sourceBelow(outer));
      if (source !== undefined) return source;
    }
    return "default";
  };

  return { tree, assign, sourceOf, sourceAround, at };
}

function gapProblem(holder: Branch, path: readonly string[], key: string): string | null {
  if (!Array.isArray(holder)) return null;
  const { length } = holder;
  if (/^\d+$/.test(key) && Number(key) <= length) return null;
  const shown = showPath(path);
  return `${shown} has ${length} element${length === 1 ? "" : "s"}: the next is ${shown}.${length}`;
}
