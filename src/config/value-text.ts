import { readJson } from "./json-text.ts";
import { alternatives, isNullable, wordsOf, type SchemaNode } from "./schema-tree.ts";

/** A value read from a text, or what is wrong with the text. */
export type TextReading =
  | { readonly ok: true; readonly value: unknown; readonly duplicates: readonly (readonly string[])[] }
  | { readonly ok: false; readonly message: string };

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  "1": true,
  "0": false,
  yes: true,
  no: false,
  on: true,
  off: false,
};

const plain = (value: unknown): TextReading => ({ ok: true, value, duplicates: [] });

/**
 * The value that a text (an environment variable, `--set`) stands for, by what the schema wants there.
 *
 * Where a string is wanted the text is the value, so that a secret `123456` stays one. What fits nothing
 * stays a string, and the schema says what it expected. Only broken JSON is a problem of its own.
 */
export function readText(node: SchemaNode, text: string): TextReading {
  const trimmed = text.trim();
  const kinds = alternatives(node);
  const takes = (type: string): boolean => kinds.some((kind) => kind.type === type);
  const takesJson = takes("array") || takes("strict_object") || takes("record");

  if (takesJson && /^[[{]/.test(trimmed)) return readJsonText(trimmed);
  if (takes("unknown")) {
    const reading = readJson(trimmed);
    return reading.ok ? reading : plain(text);
  }
  if (takes("string") && !takes("array")) return plain(text);
  if (isNullable(node) && trimmed.toLowerCase() === "null") return plain(null);
  if (takes("boolean") && Object.hasOwn(booleans, trimmed.toLowerCase())) {
    return plain(booleans[trimmed.toLowerCase()]);
  }
  if (takes("number") && /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed))
    return plain(Number(trimmed));
  const words = kinds.flatMap(wordsOf);
  if (words.some((word) => word.toLowerCase() === trimmed.toLowerCase())) return plain(trimmed);
  const list = kinds.find((kind) => kind.type === "array");
  return list === undefined ? plain(text) : readList(list, trimmed);
}

function readJsonText(text: string): TextReading {
  const reading = readJson(text);
  if (reading.ok) return reading;
  return { ok: false, message: `not JSON: ${reading.message} (at character ${reading.offset + 1})` };
}

/** `a, b` where the items are words or numbers. */
function readList(list: SchemaNode, text: string): TextReading {
  const item = list.item;
  const hasScalars =
    item !== undefined &&
    alternatives(item).some(({ type }) => ["string", "number", "picklist"].includes(type));
  if (!hasScalars) return { ok: false, message: "expected a JSON array, as in [ … ]" };
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return plain(
    parts.map((part) => {
      const reading = readText(item, part);
      return reading.ok ? reading.value : part;
    }),
  );
}
