/**
 * JSON texts as nobody writes them and everybody must read them: odd numbers, escapes where none are
 * needed, spaces everywhere, keys given twice. Seeded, so that a failure can be seen again.
 */

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const oddNumbers = [
  "12345678901234567890",
  "1.0",
  "1e400",
  "-0",
  "0.10",
  "1E+2",
  "-1.50e-07",
  "9007199254740993",
];
const scalars = [...oddNumbers, "true", "false", "null", '""', '"a"'];
const pieces = [
  "a",
  "é",
  '\\"',
  "\\\\",
  "\\u0070",
  "\\ud83d\\ude00",
  "😀",
  "\\/",
  "/",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\\n",
  " ",
  "\u2028",
  "__proto__",
];
const spaces = ["", "", "", " ", "\n", "\t", "\r\n", "   "];

export interface OddJson {
  readonly pick: <T>(from: readonly T[]) => T;
  readonly space: () => string;
  /** A JSON string, quotes included. */
  readonly string: () => string;
  /** Any JSON value. */
  readonly value: (depth: number) => string;
  /** An object's text, and the last text of each of its keys. */
  readonly object: (depth: number) => {
    readonly text: string;
    readonly members: ReadonlyMap<string, string>;
  };
  /** An array's text, and its elements' texts. */
  readonly array: (depth: number) => { readonly text: string; readonly elements: readonly string[] };
}

/** A generator of odd JSON. */
export function createOddJson(random: () => number): OddJson {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const space = (): string => pick(spaces);
  const times = (most: number): number[] =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, (_, i) => i);
  const string = (): string =>
    `"${times(5)
      .map(() => pick(pieces))
      .join("")}"`;
  const value = (depth: number): string => {
    const kind = depth > 0 ? random() : random() * 0.5;
    if (kind < 0.3) return pick(scalars);
    if (kind < 0.5) return string();
    return kind < 0.8 ? object(depth - 1).text : array(depth - 1).text;
  };
  const object = (depth: number) => {
    const members = new Map<string, string>();
    const parts = times(5).map(() => {
      const key = random() < 0.3 ? pick(['"a"', '"\\u0061"', '"payload"', '"\\u0070ayload"']) : string();
      const text = value(depth);
      members.set(JSON.parse(key) as string, text);
      return `${space()}${key}${space()}:${space()}${text}${space()}`;
    });
    return { text: `{${parts.join(",")}${parts.length === 0 ? space() : ""}}`, members };
  };
  const array = (depth: number) => {
    const elements = times(4).map(() => value(depth));
    const parts = elements.map((element) => `${space()}${element}${space()}`);
    return { text: `[${parts.join(",")}${parts.length === 0 ? space() : ""}]`, elements };
  };
  return { pick, space, string, value, object, array };
}
