import type { Config } from "../config/schema.ts";
import { configSchema } from "../config/schema.ts";
import { isObject } from "../config/layers.ts";
import { childNode, secrecyOf, type SchemaNode } from "../config/schema-tree.ts";
import { redactUrl } from "./url.ts";

/** One key of the effective configuration, fit to be shown. */
export interface ConfigEntry {
  readonly path: string;
  /** Secrets are `***`, URLs cut behind the first path segment. */
  readonly value: unknown;
  /** As in `env QUEUE_DRIVER`, `file hookline.json`, `flag --set`, `default`. */
  readonly source: string;
}

/** The configuration with `***` for every secret, in its own shape. */
export function redactConfig(config: Config): unknown {
  return redactNode(configSchema, config);
}

/** All of eachConfigEntry at once. */
export function configEntries(config: Config, sourceOf: (path: string) => string): ConfigEntry[] {
  return [...eachConfigEntry(config, sourceOf)];
}

/**
 * Every key with its value, secrets redacted, and where it came from; for `config print` and GET /v1/config.
 *
 * Lists of plain values are one entry; each object in a list or a map has its own. Each entry is made when it is asked
 * for: thousands of apps have hundreds of thousands.
 */
export function eachConfigEntry(
  config: Config,
  sourceOf: (path: string) => string,
): Generator<ConfigEntry, void> {
  return entriesBelow(configSchema, plainQueueNames(config), "", sourceOf);
}

function* entriesBelow(
  node: SchemaNode | undefined,
  value: unknown,
  path: string,
  sourceOf: (path: string) => string,
): Generator<ConfigEntry, void> {
  if (node !== undefined && isOpened(node, value)) {
    for (const [key, child] of Object.entries(value)) {
      yield* entriesBelow(childNode(node, key), child, path === "" ? key : `${path}.${key}`, sourceOf);
    }
    return;
  }
  // What the schema does not name is not shown: better a gap than a secret.
  const shown = node === undefined ? "***" : redactNode(node, value);
  // One element of a list may have been set by itself.
  const sources = Array.isArray(shown) ? shown.map((_, index) => sourceOf(`${path}.${index}`)) : [];
  yield { path, value: shown, source: [...new Set(sources)].join(", ") || sourceOf(path) };
}

/** Whether the members of a value have entries of their own. */
function isOpened(node: SchemaNode, value: unknown): value is object {
  if (typeof value !== "object" || value === null || secrecyOf(node) === "value") return false;
  if (!Array.isArray(value)) return Object.keys(value).length > 0;
  const item = childNode(node, "0") ?? node;
  return secrecyOf(item) !== "value" && value.some((one) => typeof one === "object");
}

/** `queue.queues` as people write it, where no entry has settings of its own. */
function plainQueueNames({ server, queue, ...rest }: Config): unknown {
  const isPlain = queue.queues.every(({ format, url }) => format === "jobs" && url === null);
  const queues = isPlain ? queue.queues.map(({ name }) => name) : queue.queues;
  return { server, queue: { ...queue, queues }, ...rest };
}

function redactNode(node: SchemaNode, value: unknown): unknown {
  if (value === null || value === undefined) return value;
  const secrecy = secrecyOf(node);
  if (secrecy === "value") return "***";
  if (typeof value === "string") {
    // Where any text may stand somebody may have put a URL with a password.
    const isFree = secrecy === null && !/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*@/i.test(value);
    return isFree ? value : redactUrl(value, secrecy ?? "url");
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => redactNode(childNode(node, String(index)) ?? node, item));
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const schema = childNode(node, key);
      // What the schema does not name is not shown: better a gap than a secret.
      return [key, schema === undefined ? "***" : redactNode(schema, child)];
    }),
  );
}
