import { configSchema } from "./schema.ts";
import { alternatives, type SchemaNode } from "./schema-tree.ts";

/**
 * What is wrong with a JSON text and where: `line 3, column 14: expected ":" after the key`, and the line itself.
 *
 * The line may hold secrets that nobody can tell from other text while it is not JSON, so of its words only
 * keys that the schema knows, true, false and null are shown; the rest is `***`.
 */
export function describeSyntaxError(text: string, offset: number, message: string): string {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  const start = before.lastIndexOf("\n") + 1;
  const end = text.indexOf("\n", offset);
  const excerpt = maskLine(text.slice(start, end === -1 ? undefined : end).trim());
  const shown = excerpt === "" ? "" : ` in: ${excerpt}`;
  return `line ${line}, column ${offset - start + 1}: ${message}${shown}`;
}

const longestExcerpt = 120;
const mark = "***";

function maskLine(line: string): string {
  const known = knownKeys();
  const masked = line.replace(/"(?:[^"\\]|\\.)*"?|[^\s{}[\]:,"]+/g, (word, at: number) => {
    if (word.startsWith('"')) {
      const isKey = /^\s*:/.test(line.slice(at + word.length)) && known.has(word.slice(1, -1));
      return isKey ? word : `"${mark}"`;
    }
    const isPlain = /^(?:true|false|null)$/.test(word) || known.has(word);
    return isPlain ? word : mark;
  });
  return masked.length > longestExcerpt ? `${masked.slice(0, longestExcerpt)}…` : masked;
}

/** The name of every key anywhere in the schema. */
function knownKeys(): Set<string> {
  const keys = new Set<string>();
  const visit = (node: SchemaNode): void => {
    for (const { entries, item, value } of alternatives(node)) {
      for (const [key, child] of Object.entries(entries ?? {})) {
        keys.add(key);
        visit(child);
      }
      if (item !== undefined) visit(item);
      if (value !== undefined) visit(value);
    }
  };
  visit(configSchema);
  return keys;
}
