/** A JSON text read to its end, or the first thing in it that is not JSON. */
export type JsonReading =
  | {
      readonly ok: true;
      /** Objects have no prototype, so that a key `__proto__` is a key like any other. */
      readonly value: unknown;
      /** Paths of keys that stand more than once in their object. */
      readonly duplicates: readonly (readonly string[])[];
    }
  | { readonly ok: false; readonly offset: number; readonly message: string };

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
