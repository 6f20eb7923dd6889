import { Buffer } from "node:buffer";

/** One line of a file in JSON Lines. */
export interface JsonLine {
  /** As it stands, without its `\n`; null when it is not UTF-8. */
  readonly text: string | null;
  /** Its number; the first is 1. */
  readonly at: number;
}

const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * The lines of a file in JSON Lines, as they come; blank ones are left out, and counted.
 *
 * A line ends at `\n` and at nothing else (jsonlines.org): U+2028, U+2029, NEL and a carriage return may stand in
 * a JSON text, and Node's `readline` ends lines at all of them. A byte order mark at the head is skipped.
 */
export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<JsonLine> {
  let parts: Uint8Array[] = [];
  let at = 0;
  const end = (): JsonLine | null => {
    at += 1;
    let bytes: Uint8Array = Buffer.concat(parts);
    parts = [];
    if (at === 1 && byteOrderMark.equals(bytes.subarray(0, 3))) bytes = bytes.subarray(3);
    const text = decode(bytes);
    // Only what JSON calls white space: anything else is a line that cannot be read, and is to be told.
    return text !== null && /^[ \t\r]*$/.test(text) ? null : { text, at };
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let to = chunk.indexOf(newline); to >= 0; to = chunk.indexOf(newline, from)) {
      parts.push(chunk.subarray(from, to));
      from = to + 1;
      const line = end();
      if (line !== null) yield line;
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  }
  const last = parts.length === 0 ? null : end();
  if (last !== null) yield last;
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
