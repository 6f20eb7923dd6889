import { forbiddenNames } from "./admit.ts";
import { isObject } from "./layers.ts";
import { configSchema } from "./schema.ts";
import { arrayNode, childNode, objectNode, type SchemaNode } from "./schema-tree.ts";

/**
 * The path of a key from its parts as written in a variable's name or in `--set`; null when it names no key.
 *
 * Inside a map (`endpoints`, `headers`) names are the user's own: one that exists already is found by
 * `isSame`, over several parts where it holds the separator; without `isSame` being met, `takesNew` says
 * whether the part itself may become a new name.
 */
export function resolvePath(
  parts: readonly string[],
  at: (path: readonly string[]) => unknown,
  options: {
    readonly separator: string;
    readonly isSame: (written: string, name: string) => boolean;
    readonly takesNew: boolean;
  },
): string[] | null {
  const { separator, isSame, takesNew } = options;
  const path: string[] = [];
  let node: SchemaNode = configSchema;
  let index = 0;
  while (index < parts.length) {
    const object = objectNode(node);
    const part = parts[index] as string;
    let key: string | undefined;
    let length = 1;
    if (object?.entries !== undefined) key = Object.keys(object.entries).find((name) => isSame(part, name));
    if (key === undefined && object?.entries === undefined) {
      const names = isObject(at(path)) ? Object.keys(at(path) as object) : [];
      // The longest first: a name may hold the separator.
      for (length = parts.length - index; length > 1; length -= 1) {
        const written = parts.slice(index, index + length).join(separator);
        key = names.find((name) => isSame(written, name));
        if (key !== undefined) break;
      }
      key ??= names.find((name) => isSame(part, name));
      const isIndex = arrayNode(node) !== undefined && /^\d+$/.test(part);
      if (key === undefined && (isIndex || (takesNew && part !== "" && !forbiddenNames.has(part))))
        key = part;
    }
    const child = key === undefined ? undefined : childNode(node, key);
    if (key === undefined || child === undefined) return null;
    path.push(key);
    node = child;
    index += length;
  }
  return path.length === 0 ? null : path;
}
