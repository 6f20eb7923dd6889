import { configSchema } from "./schema.ts";
import { arrayNode, childNode, objectNode, type SchemaNode } from "./schema-tree.ts";
import { isShowable } from "../secrets/showable.ts";

/** What a user may call a receiver or a header; it stands in logs and answers anyway. */
const namePattern = /^[A-Za-z0-9._:@-]{1,128}$/;

/**
 * A path as issues name it: `endpoints.billing.url`.
 *
 * Keys of the schema, indexes and names are written out. What stands where a key should and looks like a
 * secret (a value in a key's place) becomes `***`.
 */
export function showPath(path: readonly string[]): string {
  let node: SchemaNode | undefined = configSchema;
  const parts: string[] = [];
  for (const part of path) {
    parts.push(isKnown(node, part) || isShowable(part) ? part : "***");
    node = node === undefined ? undefined : childNode(node, part);
  }
  return parts.join(".");
}

function isKnown(node: SchemaNode | undefined, part: string): boolean {
  if (node === undefined) return false;
  if (arrayNode(node) !== undefined && /^\d+$/.test(part)) return true;
  const object = objectNode(node);
  if (object?.type === "record") return namePattern.test(part);
  return object?.entries !== undefined && Object.hasOwn(object.entries, part);
}
