/** A JSON text read to its end, or the first thing in it that is not JSON. */
export type JsonReading =
  | {
      readonly ok: true;
      /** A key `__proto__` is a key of its object like any other. */
      readonly value: unknown;
      /** Paths of keys that stand more than once in their object. */
      readonly duplicates: readonly (readonly string[])[];
    }
  | { readonly ok: false; readonly offset: number; readonly message: string };

const [colon, quotationMark, backslash] = [0x3a, 0x22, 0x5c];

/** Deeper nesting than any configuration has; the reader recurses. */
const maxDepth = 100;

class SyntaxProblem extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/**
 * Reads JSON (RFC 8259) and says where it breaks off, and which keys stand twice.
 *
 * JSON.parse does neither: its messages differ between engines, JavaScriptCore's has no position, and of
 * two equal keys the last one wins without a word.
 */
export function readJson(text: string): JsonReading {
  return readFlawless(text) ?? readStepwise(text);
}

/**
 * The value of a text in which nothing is to be reported; null where something may be.
 *
 * JSON.parse keeps one of two equal keys. So no key stands twice where as many colons stand outside of the text's strings
 * as the value has keys.
 */
function readFlawless(text: string): JsonReading | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const keys = countKeys(value, 0);
  return keys === null || keys !== countColons(text) ? null : { ok: true, value, duplicates: [] };
}

/** How many keys all objects in a value have; null where it is nested too deeply. */
function countKeys(value: unknown, depth: number): number | null {
  if (depth > maxDepth) return null;
  if (typeof value !== "object" || value === null) return 0;
  const children = Array.isArray(value) ? (value as unknown[]) : Object.values(value);
  let count = Array.isArray(value) ? 0 : children.length;
  for (const child of children) {
    const below = countKeys(child, depth + 1);
    if (below === null) return null;
    count += below;
  }
  return count;
}

/** How many colons stand outside of the strings of a text that is JSON. */
function countColons(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === colon) count += 1;
    if (code !== quotationMark) continue;
    for (at += 1; text.charCodeAt(at) !== quotationMark; at += 1) {
      if (text.charCodeAt(at) === backslash) at += 1;
    }
  }
  return count;
}

/** As readJson, character by character. */
function readStepwise(text: string): JsonReading {
  const duplicates: string[][] = [];
  let at = 0;

  const fail = (message: string, offset = at): never => {
    throw new SyntaxProblem(offset, message);
  };
  const skipSpace = (): void => {
    while (/[ \t\n\r]/.test(text[at] ?? "")) at += 1;
    if (text[at] === "/" && /[/*]/.test(text[at + 1] ?? "")) fail("comments are not allowed in JSON");
  };

  const readString = (): string => {
    const start = at;
    for (at += 1; text[at] !== '"'; at += 1) {
      if (at >= text.length) fail("this string never ends", start);
      if (text.charCodeAt(at) < 0x20) fail("a line break or control character inside a string: write \\n");
      if (text[at] !== "\\") continue;
      const escape = /^\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/.exec(text.slice(at, at + 6));
      if (escape === null) fail('an unknown escape: after \\ stands one of " \\ / b f n r t u');
      else at += escape[0].length - 1;
    }
    at += 1;
    return JSON.parse(text.slice(start, at)) as string;
  };

  const readWord = (): unknown => {
    const word = /^[^\s,:{}[\]"]*/.exec(text.slice(at, at + 400))?.[0] ?? "";
    const isNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word);
    if (!isNumber && !["true", "false", "null"].includes(word)) {
      fail(at >= text.length ? "the text ends where a value should stand" : "expected a value");
    }
    at += word.length;
    return JSON.parse(word);
  };

  const readValue = (path: readonly string[]): unknown => {
    skipSpace();
    if (path.length > maxDepth) fail(`more than ${maxDepth} levels deep`);
    if (text[at] === "{") return readObject(path);
    if (text[at] === "[") return readArray(path);
    return text[at] === '"' ? readString() : readWord();
  };

  /** The comma before another element; false when the closing bracket came instead. */
  const readComma = (close: string): boolean => {
    skipSpace();
    if (text[at] === close) {
      at += 1;
      return false;
    }
    if (text[at] !== ",")
      fail(at >= text.length ? `"${close}" is missing at the end` : `expected "," or "${close}"`);
    at += 1;
    skipSpace();
    if (text[at] === close) fail(`a comma before "${close}"`);
    return true;
  };

  const readObject = (path: readonly string[]): unknown => {
    const object = Object.create(null) as Record<string, unknown>;
    at += 1;
    skipSpace();
    if (text[at] === "}") {
      at += 1;
      return object;
    }
    do {
      skipSpace();
      if (text[at] !== '"') fail("expected a key in double quotes");
      const key = readString();
      if (Object.hasOwn(object, key)) duplicates.push([...path, key]);
      skipSpace();
      if (text[at] !== ":") fail('expected ":" after the key');
      at += 1;
      object[key] = readValue([...path, key]);
    } while (readComma("}"));
    return object;
  };

  const readArray = (path: readonly string[]): unknown => {
    const array: unknown[] = [];
    at += 1;
    skipSpace();
    if (text[at] === "]") {
      at += 1;
      return array;
    }
    do array.push(readValue([...path, String(array.length)]));
    while (readComma("]"));
    return array;
  };

  try {
    const value = readValue([]);
    skipSpace();
    if (at < text.length) fail("something stands after the end of the JSON value");
    return { ok: true, value, duplicates };
  } catch (error) {
    if (error instanceof SyntaxProblem) return { ok: false, offset: error.offset, message: error.message };
    throw error;
  }
}
