import { isDeepStrictEqual } from "node:util";
import { isObject } from "./layers.ts";
import { configSchema, type Config } from "./schema.ts";
import { childNode, reloadKindOf, type SchemaNode } from "./schema-tree.ts";
import type { ReloadKind } from "./setting.ts";

/** A key that differs between two configurations. */
export interface ConfigChange {
  /** As in `webhooks.retry.max_attempts`; apps, webhooks and queues by id or name: `apps.shop.webhooks.orders.url`. */
  readonly path: string;
  readonly kind: ReloadKind;
}

/** What a reload does with the key at a path: what it says itself, or else what stands around it says. */
export function reloadKindAt(path: readonly string[]): ReloadKind | null {
  let node: SchemaNode | undefined = configSchema;
  let kind: ReloadKind | null = null;
  for (const key of path) {
    node = node === undefined ? undefined : childNode(node, key);
    if (node !== undefined) kind = reloadKindOf(node) ?? kind;
  }
  return kind;
}

/**
 * The keys that differ, in the configuration's order. A whole app, webhook or endpoint that came or went is one.
 */
export function compareConfigs(now: Config, next: Config): ConfigChange[] {
  const changes: ConfigChange[] = [];
  const add = (path: readonly string[], kind: ReloadKind | null): void => {
    // A key without an answer is a mistake in the schema, which its test finds; asking for a restart loses nothing.
    changes.push({ path: path.join("."), kind: kind ?? "restart" });
  };
  const visit = (
    node: SchemaNode | undefined,
    path: readonly string[],
    before: unknown,
    after: unknown,
    around: ReloadKind | null,
  ): void => {
    const kind = (node === undefined ? undefined : reloadKindOf(node)) ?? around;
    const [one, other] = [byName(before), byName(after)];
    if (one === null || other === null) {
      if (!isDeepStrictEqual(before, after)) add(path, kind);
      return;
    }
    const isList = Array.isArray(before);
    for (const key of new Set([...one.keys(), ...other.keys()])) {
      const child = node === undefined ? undefined : childNode(node, isList ? "0" : key);
      visit(child, [...path, key], one.get(key), other.get(key), kind);
    }
    if (isList && !isDeepStrictEqual([...one.keys()], [...other.keys()]) && isSameSet(one, other)) {
      // Only their order differs, which counts where the first of several is meant.
      add(path, kind);
    }
  };
  visit(configSchema, [], withoutAddresses(now), withoutAddresses(next), null);
  return [...changes, ...compareQueues(now, next)];
}

/** The members of an object, or of a list whose items have ids or names; null for anything else. */
function byName(value: unknown): Map<string, unknown> | null {
  if (isObject(value)) return new Map(Object.entries(value));
  if (!Array.isArray(value)) return null;
  const named = value.map((item) => {
    const { id, name } = (item ?? {}) as { id?: unknown; name?: unknown };
    return [id ?? name, item] as const;
  });
  if (!named.every(([key]) => typeof key === "string")) return null;
  const members = new Map(named as [string, unknown][]);
  return members.size === value.length ? members : null;
}

function isSameSet(one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): boolean {
  return one.size === other.size && [...one.keys()].every((key) => other.has(key));
}

/** Names of queues and their addresses need a restart, how their messages are read does not. */
function compareQueues(now: Config, next: Config): ConfigChange[] {
  const addresses = ({ queue }: Config) => queue.queues.map(({ name, url }) => [name, url]);
  return isDeepStrictEqual(addresses(now), addresses(next))
    ? []
    : [{ path: "queue.queues", kind: "restart" }];
}

/** Without what compareQueues looks at. */
function withoutAddresses(config: Config): unknown {
  const queues = config.queue.queues.map(({ url: _url, ...settings }) => settings);
  return { ...config, queue: { ...config.queue, queues } };
}

/** The next configuration with everything that needs a restart as it is now. */
export function keepRestartKeys(now: Config, next: Config): Config {
  const merge = (
    node: SchemaNode | undefined,
    before: unknown,
    after: unknown,
    around: ReloadKind | null,
  ) => {
    const kind = (node === undefined ? undefined : reloadKindOf(node)) ?? around;
    if (!isObject(before) || !isObject(after)) return kind === "live" ? after : before;
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    const merged: Record<string, unknown> = {};
    for (const key of keys) {
      const child = node === undefined ? undefined : childNode(node, key);
      const value: unknown = merge(child, before[key], after[key], kind);
      if (value !== undefined) merged[key] = value;
    }
    return merged;
  };
  const merged = merge(configSchema, now, next, null) as Config;
  // The queues of now, each with the next one's settings where it has any.
  const queues = now.queue.queues.map((queue) => {
    const settings = next.queue.queues.find(({ name }) => name === queue.name);
    return settings === undefined ? queue : { ...settings, url: queue.url };
  });
  return { ...merged, queue: { ...merged.queue, queues } };
}
