/** A text with its escapes read, and where each character of it stood in the original. */
export interface Unescaped {
  readonly text: string;
  /** Position in the original of the character at this index; for the end, where the original ends. */
  readonly origin: (index: number) => number;
}

const plain: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const escape = /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/g;

/**
 * Reads the escapes of JSON strings (RFC 8259 §7) wherever they stand in a text, JSON or not; null when there
 * are none. What is no escape stays as it is.
 *
 * Encoders differ in what they escape: PHP `/` and all beyond ASCII, .NET quotes and `+` too, each in its own case
 * of hex. Reading them all is less than writing every spelling of what is looked for.
 */
export function unescapeJson(text: string): Unescaped | null {
  return unescape(text, escape, ([, hex, letter]) =>
    hex === undefined ? (plain[letter as string] as string) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Reads percent-encoded bytes (RFC 3986 §2.1) in the same way, one character a byte. */
export function unescapePercent(text: string): Unescaped | null {
  return unescape(text, /%([0-9A-Fa-f]{2})/g, ([, hex]) =>
    String.fromCharCode(Number.parseInt(hex as string, 16)),
  );
}

/** @param read The one character that an escape stands for. */
function unescape(text: string, pattern: RegExp, read: (match: RegExpExecArray) => string): Unescaped | null {
  // From index `starts[n]` on, the original is `shifts[n]` characters ahead.
  const starts = [0];
  const shifts = [0];
  const chunks: string[] = [];
  let from = 0;
  let length = 0;
  let shift = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole] = match;
    chunks.push(text.slice(from, match.index), read(match));
    length += match.index - from + 1;
    shift += whole.length - 1;
    starts.push(length);
    shifts.push(shift);
    from = match.index + whole.length;
  }
  if (chunks.length === 0) return null;
  chunks.push(text.slice(from));
  const origin = (index: number): number => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= index) low = middle;
      else high = middle;
    }
    return index + (shifts[low] as number);
  };
  return { text: chunks.join(""), origin };
}
