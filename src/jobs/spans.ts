/**
 * Where the values of a JSON text stand, so that they can be cut out byte for byte.
 *
 * `JSON.parse` loses the spelling of numbers (12345678901234567890, 1.0, 1e400), escapes and spaces; a
 * payload must arrive as it stood in the job (contract §1.3). All functions here take a text that
 * `JSON.parse` has accepted and scan it once, forwards and without recursion, so that deep nesting costs
 * no stack. Where a key is given twice, the last one counts, as in `JSON.parse`.
 */

/** A half-open range of a text: `text.slice(start, end)` is the value without the spaces around it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * The value of `key` in the object that begins at `start`; null when there is none.
 *
 * A key spelled with escapes ("\u0070ayload") is the same key.
 *
 * One loop and few calls, because each job is scanned at each attempt: at the object's own level it takes down
 * where a value begins and where the last thing that is no space ended; below it only brackets count.
 */
export function memberSpan(text: string, key: string, start = 0): Span | null {
  let found: Span | null = null;
  let depth = 0;
  let expectsKey = false;
  let isWanted = false;
  let valueStart = -1;
  let lastEnd = start;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code <= 0x20) continue;
    if (depth === 1 && (code === COMMA || code === CLOSE_BRACE)) {
      if (isWanted && valueStart !== -1) found = { start: valueStart, end: lastEnd };
      if (code === CLOSE_BRACE) return found;
      expectsKey = true;
      isWanted = false;
      continue;
    }
    if (depth === 1 && expectsKey && code === COLON) {
      expectsKey = false;
      valueStart = -1;
      continue;
    }
    if (depth === 1 && !expectsKey && valueStart === -1) valueStart = at;
    if (code === QUOTE) {
      let quote = text.indexOf('"', at + 1);
      while (text.charCodeAt(quote - 1) === BACKSLASH && isEscaped(text, quote))
        quote = text.indexOf('"', quote + 1);
      const end = quote === -1 ? text.length : quote + 1;
      if (depth === 1 && expectsKey) isWanted = end - at - 2 >= key.length && isKey(text, at, end, key);
      at = end - 1;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      depth += 1;
      if (depth === 1) expectsKey = true;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
    lastEnd = at + 1;
  }
  return found;
}

/** The text of `key`'s value in the object that begins at `start`; null when there is none. */
export function memberText(text: string, key: string, start = 0): string | null {
  const span = memberSpan(text, key, start);
  return span === null ? null : text.slice(span.start, span.end);
}

/** The elements of the array that begins at `start`, in order. */
export function elementSpans(text: string, start = 0): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, start) + 1;
  while (at < text.length) {
    at = skipSpace(text, at);
    const code = text.charCodeAt(at);
    if (code === CLOSE_BRACKET) break;
    if (code === COMMA) {
      at += 1;
      continue;
    }
    const end = valueEnd(text, at);
    spans.push({ start: at, end });
    at = end;
  }
  return spans;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** The index after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  // indexOf runs over long strings many times faster than a loop over char codes.
  let quote = text.indexOf('"', start + 1);
  while (quote !== -1 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote === -1 ? text.length : quote + 1;
}

/** Whether the character is escaped: an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
  return slashes % 2 === 1;
}

/** The index after the value that begins at `start`. */
function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return scalarEnd(text, start);
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    at += 1;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return at;
}

/** The index after a number, true, false or null. */
function scalarEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    // Everything up to the space ends a scalar, as do a comma and a closing bracket.
    if (code <= 0x20 || code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET) break;
    at += 1;
  }
  return at;
}

function isKey(text: string, start: number, end: number, key: string): boolean {
  const length = end - start - 2;
  // A key that itself holds a backslash is always spelled longer than it is.
  if (length === key.length) return text.startsWith(key, start + 1) && !key.includes("\\");
  // An escape is always longer than what it stands for.
  if (length < key.length) return false;
  for (let at = start + 1; at < end - 1; at += 1) {
    if (text.charCodeAt(at) === BACKSLASH) return JSON.parse(text.slice(start, end)) === key;
  }
  return false;
}
