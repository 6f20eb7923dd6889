import { maskAppSecrets } from "./app-secret.ts";
import { createBase64Finder, maskBase64Runs } from "./base64.ts";
import { unescapeJson, unescapePercent } from "./escapes.ts";
import { createNeedleTable, type Span } from "./needle-table.ts";
import { eachNeedle } from "./needle.ts";
import { createHashedText } from "./rolling-hash.ts";
import type { Secret } from "./url.ts";

const mark = "***";

/** JSON inside JSON inside JSON inside a log line: deeper ones are nobody's. */
const deepest = 4;
/** So many characters are looked through at a time. */
const pieceCharacters = 16_384;

/** Replaces every secret in a text by `***`. What is secret may change while it is in use. */
export interface Masker {
  (text: string): string;
  add(secrets: Iterable<Secret>): void;
  /** Secrets that were added more than once stay until they were removed as often; see `mostFormer` for the others. */
  remove(secrets: Iterable<Secret>): void;
}

export interface MaskerOptions {
  /** Whether a text is the name of something; secrets that say so are not masked while they are. */
  readonly isName?: (text: string) => boolean;
  /** So many needles that were removed last are masked yet. */
  readonly mostFormer?: number;
}

/**
 * A function that replaces every secret in a text by `***`, in every encoding that hookline itself makes (contract
 * §1.8): as it is, percent-encoded, with any of the escapes of a JSON string (`\/`, `\u00e9` in either case), also as
 * JSON inside JSON, as UTF-8 read one character a byte, and in base64 of either alphabet, alone or inside something
 * longer; and whatever stands after `"app_secret":` or `"appSecret":`. Overlapping secrets are masked together.
 *
 * What it costs to mask a text, to add a secret or to remove one does not grow with the number of secrets. A secret of
 * fewer than four characters is masked only where it stands as a word of its own.
 */
export function createMasker(secrets: Iterable<Secret>, options: MaskerOptions = {}): Masker {
  const { isName = () => false, mostFormer = 0 } = options;
  const table = createNeedleTable(isName, mostFormer);
  const findInBase64 = createBase64Finder(table);
  const characters = createHashedText();

  const findPlain = (text: string, withWords: boolean, found: (span: Span) => void): void => {
    for (let from = 0; from < text.length; from += pieceCharacters) {
      const start = Math.max(0, from - 1);
      // One more on either side: whether a word ends there.
      const end = Math.min(text.length, from + pieceCharacters + table.longest + 1);
      characters.clear(end - start);
      for (let at = start; at < end; at += 1) characters.push(text.charCodeAt(at));
      const part: Span = [from - start, Math.min(end, from + pieceCharacters) - start];
      table.find(characters, part, withWords, (first, last) => found([start + first, start + last]));
    }
  };
  /** In the text as it is, in its base64 and behind its percent-encoding. */
  const find = (text: string, withWords: boolean, found: (span: Span) => void): void => {
    findPlain(text, withWords, found);
    findInBase64(text, found);
    const reading = unescapePercent(text);
    if (reading === null) return;
    findPlain(reading.text, withWords, ([start, end]) => found([reading.origin(start), reading.origin(end)]));
  };
  /** In each reading of its escapes too, as places in the text itself. */
  const findAll = (text: string, withWords: boolean): Span[] => {
    const spans: Span[] = [];
    find(text, withWords, (span) => spans.push(span));
    const origins: ((index: number) => number)[] = [];
    let current = text;
    for (let level = 0; level < deepest; level += 1) {
      const reading = unescapeJson(current);
      if (reading === null) break;
      origins.unshift(reading.origin);
      current = reading.text;
      const origin = (index: number): number => origins.reduce((at, read) => read(at), index);
      find(current, withWords, ([start, end]) => spans.push([origin(start), origin(end)]));
    }
    return spans;
  };
  const maskWith = (text: string, withWords: boolean): string => {
    const spans = findAll(text, withWords);
    return maskAppSecrets(spans.length === 0 ? text : cover(text, spans), mark);
  };
  // What is no base64 decodes to noise, in which a secret of three characters would turn up by chance.
  const maskInside = (latin1: string): string => maskWith(latin1, false);
  const mask = (text: string): string => maskWith(maskBase64Runs(text, maskInside), true);

  const masker = Object.assign(mask, {
    add(more: Iterable<Secret>) {
      for (const secret of more) eachNeedle(secret, (needle) => table.add(needle));
    },
    remove(gone: Iterable<Secret>) {
      for (const secret of gone) eachNeedle(secret, (needle) => table.remove(needle));
    },
  });
  masker.add(secrets);
  return masker;
}

/** The text with the mark over each span; those that meet become one. */
function cover(text: string, spans: Span[]): string {
  let masked = "";
  let from = 0;
  let open = -1;
  for (const [start, end] of spans.toSorted(([left], [right]) => left - right)) {
    if (open === -1 || start > from) {
      masked += open === -1 ? text.slice(0, start) : mark + text.slice(from, start);
      open = start;
      from = end;
    } else from = Math.max(from, end);
  }
  return masked + mark + text.slice(from);
}
