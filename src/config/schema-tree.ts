import type { Secrecy } from "./kinds.ts";
import type { EnvMetadata, EnvRank, ReloadKind, ReloadMetadata } from "./setting.ts";

/** A valibot schema as the loader looks into it: only what it reads. Pipes carry the fields of their first schema. */
export interface SchemaNode {
  readonly type: string;
  readonly message?: unknown;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly item?: SchemaNode;
  readonly value?: SchemaNode;
  readonly wrapped?: SchemaNode;
  readonly options?: readonly unknown[];
  readonly pipe?: readonly unknown[];
}

/** Whether null may stand here. */
export function isNullable(node: SchemaNode): boolean {
  if (node.type === "nullable") return true;
  return node.wrapped !== undefined && isNullable(node.wrapped);
}

/** The schemas one of which a value must match: wrappers taken off, unions spread. */
export function alternatives(node: SchemaNode): readonly SchemaNode[] {
  let found = spread.get(node);
  if (found === undefined) spread.set(node, (found = spreadOut(node)));
  return found;
}

/** Alternatives by their schema, which never changes: they are asked for at every value of a configuration. */
const spread = new WeakMap<SchemaNode, readonly SchemaNode[]>();

function spreadOut(node: SchemaNode): readonly SchemaNode[] {
  if (node.wrapped !== undefined) return alternatives(node.wrapped);
  if (node.type === "union") return (node.options as SchemaNode[]).flatMap(alternatives);
  return [node];
}

/** Words that a picklist takes; empty for other kinds. */
export function wordsOf(node: SchemaNode): readonly string[] {
  return node.type === "picklist" ? (node.options as readonly string[]) : [];
}

/** The alternative for objects: one with fixed keys, or a record. */
export function objectNode(node: SchemaNode): SchemaNode | undefined {
  return alternatives(node).find(({ type }) => type === "strict_object" || type === "record");
}

/** The alternative for arrays. */
export function arrayNode(node: SchemaNode): SchemaNode | undefined {
  return alternatives(node).find(({ type }) => type === "array");
}

/** The schema of what stands under a key or index; undefined where nothing may. */
export function childNode(node: SchemaNode, key: string): SchemaNode | undefined {
  const object = objectNode(node);
  if (object?.entries !== undefined && Object.hasOwn(object.entries, key)) return object.entries[key];
  if (object?.type === "record") return object.value;
  if (/^\d+$/.test(key)) {
    const item = arrayNode(node)?.item;
    if (item !== undefined) return item;
  }
  return alternatives(node).find(({ type }) => type === "unknown");
}

/** The schema at a path; undefined where the path leads nowhere. */
export function nodeAt(root: SchemaNode, path: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root;
  for (const key of path) node = node === undefined ? undefined : childNode(node, key);
  return node;
}

/** How a value is hidden, from the metadata in its schema; null for what may be shown. */
export function secrecyOf(node: SchemaNode): Secrecy | null {
  for (const action of node.pipe ?? []) {
    const { type, metadata } = action as { type: string; metadata?: { "x-secret"?: Secrecy } };
    if (type === "metadata" && metadata?.["x-secret"] !== undefined) return metadata["x-secret"];
  }
  if (node.wrapped !== undefined) return secrecyOf(node.wrapped);
  if (node.type !== "union") return null;
  return (node.options as SchemaNode[]).map(secrecyOf).find((kind) => kind !== null) ?? null;
}

/** The names of its own that the environment has for a key (setting.ts). */
export function envMetadataOf(node: SchemaNode): (readonly [name: string, rank: EnvRank])[] {
  const inside = node.wrapped === undefined ? [] : envMetadataOf(node.wrapped);
  const own = (node.pipe ?? []).flatMap((action) => {
    const { type, metadata } = action as { type: string; metadata?: EnvMetadata };
    if (type !== "metadata" || metadata === undefined) return [];
    return [
      ...(metadata["x-env"] ?? []).map((name) => [name, "own"] as const),
      ...(metadata["x-env-fallback"] ?? []).map((name) => [name, "fallback"] as const),
      ...(metadata["x-env-soketi"] ?? []).map((name) => [name, "soketi"] as const),
    ];
  });
  return [...own, ...inside];
}

/** What a reload does with this key, where it says so itself (setting.ts). */
export function reloadKindOf(node: SchemaNode): ReloadKind | undefined {
  for (const action of node.pipe ?? []) {
    const { type, metadata } = action as { type: string; metadata?: ReloadMetadata };
    if (type === "metadata" && metadata?.["x-reload"] !== undefined) return metadata["x-reload"];
  }
  return undefined;
}

/**
 * Whether a value at this path may be repeated: nothing on the way to it is secret, nor anything that could
 * stand below it. Where an object with a secret in it belongs, a plain text may well be that secret; unless
 * a text that is none is welcome in its place too, as a queue's name is.
 */
export function isFreeOfSecrets(root: SchemaNode, path: readonly string[]): boolean {
  let node: SchemaNode | undefined = root;
  for (const key of path) {
    if (secrecyOf(node) !== null) return false;
    node = childNode(node, key);
    if (node === undefined) return false;
  }
  if (secrecyOf(node) !== null) return false;
  return takesPlainText(node) || !holdsSecret(node);
}

const takesPlainText = (node: SchemaNode): boolean =>
  alternatives(node).some(({ type }) => type === "string" || type === "picklist");

function holdsSecret(node: SchemaNode): boolean {
  if (secrecyOf(node) !== null) return true;
  return alternatives(node).some(({ entries, item, value }) => {
    const below = [...Object.values(entries ?? {}), item, value];
    return below.some((child) => child !== undefined && holdsSecret(child));
  });
}

/** Every path with a name of its own, parents before children; not into arrays and records. */
export function knownPaths(node: SchemaNode, path: readonly string[] = []): string[][] {
  const entries = objectNode(node)?.entries ?? {};
  return Object.entries(entries).flatMap(([key, child]) => {
    const childPath = [...path, key];
    return [childPath, ...knownPaths(child, childPath)];
  });
}

/** What is expected here, in words that complete "expected …". */
export function expectationOf(node: SchemaNode): string {
  const words = alternatives(node).map((alternative) => {
    if (typeof alternative.message === "string") return alternative.message;
    return alternative.type === "array"
      ? "an array"
      : alternative.type === "string"
        ? "a string"
        : "an object";
  });
  const unique = [...new Set(words), ...(isNullable(node) ? ["null"] : [])];
  const last = unique.pop() ?? "a value";
  return unique.length === 0 ? last : `${unique.join(", ")} or ${last}`;
}
