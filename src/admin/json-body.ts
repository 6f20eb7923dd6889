import { RequestError } from "./request-error.ts";

/**
 * The value of a JSON body.
 *
 * A key named `__proto__` becomes an ordinary member (JSON.parse never sets a prototype).
 *
 * @throws RequestError `invalid_json` with line and column, and nothing of the body: it may hold secrets.
 */
export function parseJsonBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalidJson(text);
  }
}

/** The refusal of a text that JSON.parse does not take. */
export function invalidJson(text: string): RequestError {
  const at = firstSyntaxError(text);
  // Only nesting deeper than the engine's stack is refused without a syntax error.
  if (at === null) return new RequestError("invalid_json", "the body is nested too deeply");
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - before.lastIndexOf("\n");
  const what = at >= text.length ? "the JSON ends too early" : "the JSON is wrong";
  return new RequestError("invalid_json", `${what} at line ${line}, column ${column}`);
}

const space = /[ \t\n\r]*/y;
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * Index of the first character that cannot continue the text as JSON (RFC 8259); null when it is JSON.
 *
 * Engines word their own messages differently and JavaScriptCore's hold no position. Iterative, so that a
 * bomb of brackets costs memory and no stack.
 */
function firstSyntaxError(text: string): number | null {
  let at = 0;
  const skip = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? "";
    at += found.length;
    return found;
  };
  /** Takes the character when it comes next. */
  const take = (character: string): boolean => {
    skip(space);
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  /** A string; where it is wrong, `at` stays at the wrong character. */
  const takeString = (): boolean => {
    if (!take('"')) return false;
    for (; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 0x22) return take('"');
      if (code < 0x20) return false;
      if (code !== 0x5c) continue;
      if (skip(escape) === "") return false;
      at -= 1;
    }
    return false;
  };

  const open: string[] = [];
  for (;;) {
    // A value begins here.
    let complete = true;
    if (take("{")) {
      if (!take("}")) {
        if (!takeString() || !take(":")) return at;
        open.push("}");
        complete = false;
      }
    } else if (take("[")) {
      if (!take("]")) {
        open.push("]");
        complete = false;
      }
    } else if (text[at] === '"' ? !takeString() : skip(scalar) === "") {
      return at;
    }
    if (!complete) continue;
    // A value has ended: close what it closes, then go on to the next one.
    while (open.length > 0 && take(open.at(-1) as string)) open.pop();
    skip(space);
    if (open.length === 0) return at === text.length ? null : at;
    if (!take(",")) return at;
    if (open.at(-1) === "}" && !(takeString() && take(":"))) return at;
  }
}
