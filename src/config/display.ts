import type { Config } from "./schema.ts";
import { configSchema } from "./schema.ts";
import { isObject } from "./layers.ts";
import { childNode, secrecyOf, type SchemaNode } from "./schema-tree.ts";
import { redactUrl } from "./secret-url.ts";

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

/**
 * Every key with its value, secrets redacted, and where it came from; for `config print` and GET /v1/config.
 *
 * Lists of plain values are one entry; each object in a list or a map has its own.
 */
export function configEntries(config: Config, sourceOf: (path: string) => string): ConfigEntry[] {
  const entries: ConfigEntry[] = [];
  const visit = (value: unknown, path: readonly string[]): void => {
    const children = typeof value === "object" && value !== null ? Object.entries(value) : [];
    const isList = Array.isArray(value) && !value.some((item) => typeof item === "object");
    if (children.length === 0 || isList) {
      const joined = path.join(".");
      // One element of a list may have been set by itself.
      const sources = children.map(([index]) => sourceOf(`${joined}.${index}`));
      const source = children.length === 0 ? sourceOf(joined) : [...new Set(sources)].join(", ");
      entries.push({ path: joined, value, source });
      return;
    }
    for (const [key, child] of children) visit(child, [...path, key]);
  };
  visit(plainQueueNames(redactConfig(config)), []);
  return entries;
}

/** `queue.queues` as people write it, where no entry has settings of its own. */
function plainQueueNames(redacted: unknown): unknown {
  const { server, queue, ...rest } = redacted as Config;
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
