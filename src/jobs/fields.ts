import type { MalformedJob } from "./job.ts";
import { memberText } from "./spans.ts";
import { safeJobId } from "./id.ts";

/** A parsed JSON object whose text is at hand. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a parsed JSON value is an object, neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a parsed JSON value is, for messages: `a string`, `null`, `an array` … */
export function describeType(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** A body that is no job, with the reason for people. The detail must not quote the body: it may hold secrets. */
export function malformed(detail: string): MalformedJob {
  return { kind: "malformed", detail };
}

/** Whether what was read turned out not to be readable. */
export function isMalformed(read: object | string | null): read is MalformedJob {
  return typeof read === "object" && read !== null && "kind" in read && read.kind === "malformed";
}

/** The value of a JSON text; undefined when it is none, or nested more deeply than the engine can read. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Whatever it was that could not be read, the text is no job. The engine's message would quote it.
    return undefined;
  }
}

/**
 * A name or id field: a string, or a number as it is spelled; null when absent, null or empty.
 *
 * Numbers are taken because Soketi reads `12345` in its environment as a number and then writes the app
 * id as one. Their text is taken, not their value: beyond 2^53 two different ids would become equal.
 */
export function nameField(text: string, object: JsonObject, key: string): string | null | MalformedJob {
  const value = object[key];
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "string") return value;
  if (typeof value === "number") return memberText(text, key);
  return malformed(`${key}: expected a string, got ${describeType(value)}`);
}

/** Several name fields at once; the first that cannot be read makes the job malformed. */
export function nameFields<Key extends string>(
  text: string,
  object: JsonObject,
  keys: readonly Key[],
): Readonly<Record<Key, string | null>> | MalformedJob {
  const names: Partial<Record<Key, string | null>> = {};
  for (const key of keys) {
    const value = object[key];
    if (value === undefined) names[key] = null;
    else if (typeof value === "string" && value !== "") names[key] = value;
    else {
      const name = nameField(text, object, key);
      if (isMalformed(name)) return name;
      names[key] = name;
    }
  }
  return names as Record<Key, string | null>;
}

/** The first of these id fields that is set, made safe (contract §3); null when none is. */
export function idField(text: string, object: JsonObject, ...keys: string[]): string | null | MalformedJob {
  for (const key of keys) {
    const id = nameField(text, object, key);
    if (typeof id === "string") return safeJobId(id);
    if (id !== null) return id;
  }
  return null;
}
