import { Buffer } from "node:buffer";
import { maskAppSecrets } from "./app-secret.ts";
import { base64Spellings, maskBase64Runs } from "./base64.ts";
import { unescapeJson } from "./escapes.ts";
import type { Secret } from "./url.ts";

const mark = "***";

/** Shorter ones are masked as whole words only, or every other letter of a log would be masked. */
const shortest = 4;

/** JSON inside JSON inside JSON inside a log line: deeper ones are nobody's. */
const deepest = 4;

type Span = [start: number, end: number];

/** A text to look for; the first `keep` characters of it are only where it must stand, and stay. */
interface Needle {
  readonly text: string;
  readonly keep: number;
}

/**
 * A function that replaces every secret in a text by `***`, in every encoding that hookline itself makes (contract
 * §1.8): as it is, percent-encoded, with any of the escapes of a JSON string (`\/`, `\u00e9` in either case), also as
 * JSON inside JSON, as UTF-8 read one character a byte, and in base64 of either alphabet, alone or inside something
 * longer; and whatever stands after `"app_secret":` or `"appSecret":`. Overlapping secrets are masked together.
 *
 * Its cost is one pass over the text, a second one where it holds such escapes, and does not grow with the
 * number of secrets. A secret of fewer than four characters is masked only where it stands as a word of its own.
 */
export function createMasker(secrets: readonly Secret[]): (text: string) => string {
  const needles = new Map<string, Needle>();
  for (const needle of secrets.flatMap(needlesOf)) {
    const known = needles.get(needle.text);
    // The same text as a secret of its own: all of it is masked.
    if (known === undefined || known.keep > needle.keep) needles.set(needle.text, needle);
  }
  const all = [...needles.values()].filter(({ text }) => text !== "");
  const find = createFinder(all.filter(({ text }) => text.length >= shortest));
  const short = all.filter(({ text }) => text.length < shortest);
  const words =
    short.length === 0 ? null : new RegExp(short.toSorted(longestFirst).map(wholeWord).join("|"), "g");

  const findAll = (text: string): Span[] => {
    const spans = find(text);
    if (words !== null) {
      for (const { index, 0: word } of text.matchAll(words)) spans.push([index, index + word.length]);
    }
    return spans;
  };
  const maskWith = (spansIn: (text: string) => Span[], text: string): string => {
    const spans = spansIn(text);
    // The usual escapes are among the needles' spellings; these may stand for anything.
    if (/\\[u/]/.test(text)) spans.push(...spansBehindEscapes(text, spansIn));
    return maskAppSecrets(spans.length === 0 ? text : cover(text, spans), mark);
  };
  // What is no base64 decodes to noise, in which a secret of three characters would turn up by chance.
  const maskInside = (latin1: string): string => maskWith(find, latin1);
  return (text) => maskWith(findAll, maskBase64Runs(text, maskInside));
}

/** Spans of what shows up when the escapes are read, level by level, as places in the text itself. */
function spansBehindEscapes(text: string, spansIn: (text: string) => Span[]): Span[] {
  const found: Span[] = [];
  const readings: ((index: number) => number)[] = [];
  let current = text;
  for (let level = 0; level < deepest; level += 1) {
    const reading = unescapeJson(current);
    if (reading === null) break;
    readings.unshift(reading.origin);
    current = reading.text;
    const origin = (index: number): number => readings.reduce((at, read) => read(at), index);
    for (const [start, end] of spansIn(current)) found.push([origin(start), origin(end)]);
  }
  return found;
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

const longestFirst = (left: Needle, right: Needle): number => right.text.length - left.text.length;

function needlesOf(secret: Secret): Needle[] {
  const whole = (text: string): Needle => ({ text, keep: 0 });
  if (typeof secret === "string") return [...spellings(secret), ...base64Spellings(secret)].map(whole);
  // Each spelling goes character by character, so the two parts can be spelled apart.
  const before = spellings(secret.before);
  return spellings(secret.secret).map((text, index) => {
    const prefix = before[index] as string;
    return { text: prefix + text, keep: prefix.length };
  });
}

/** The ways in which a secret is written that are looked for as they stand; always as many. */
function spellings(secret: string): string[] {
  const text = secret.toWellFormed();
  const json = JSON.stringify(text).slice(1, -1);
  const percent = encodeURIComponent(text);
  const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const encoded = [percent, strict, encodeURI(text), percent.replaceAll("%20", "+")];
  return [
    secret,
    // What reads bytes of UTF-8 one character each: the heads of answers, and bodies that are not UTF-8.
    Buffer.from(text, "utf8").toString("latin1"),
    ...encoded,
    ...encoded.map((variant) => variant.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())),
    json,
    JSON.stringify(json).slice(1, -1),
  ];
}

/** A pattern for a text that is no part of a longer word. */
function wholeWord({ text, keep }: Needle): string {
  const before = keep > 0 ? `(?<=${RegExp.escape(text.slice(0, keep))})` : /^\w/.test(text) ? "(?<!\\w)" : "";
  const after = /\w$/.test(text) ? "(?!\\w)" : "";
  return `${before}${RegExp.escape(text.slice(keep))}${after}`;
}

/**
 * Finds the places of many needles. A table of the needles' first two characters rejects nearly every
 * position at once: one pattern of a thousand alternatives would try them all.
 */
function createFinder(needles: readonly Needle[]): (text: string) => Span[] {
  const starts = new Uint8Array(65_536);
  const byStart = new Map<number, { whole: string[]; kept: Needle[] }>();
  const keyAt = (text: string, at: number): number => text.charCodeAt(at) * 65_536 + text.charCodeAt(at + 1);
  const slotOf = (key: number): number => (key ^ (key >>> 11)) & 0xffff;
  for (const needle of needles.toSorted(longestFirst)) {
    const key = keyAt(needle.text, 0);
    starts[slotOf(key)] = 1;
    const group = byStart.get(key) ?? { whole: [], kept: [] };
    byStart.set(key, group);
    if (needle.keep === 0) group.whole.push(needle.text);
    else group.kept.push(needle);
  }
  return (text) => {
    const spans: Span[] = [];
    if (needles.length === 0) return spans;
    for (let at = 0; at + shortest <= text.length; at += 1) {
      const key = keyAt(text, at);
      if (starts[slotOf(key)] === 0) continue;
      const group = byStart.get(key);
      if (group === undefined) continue;
      const whole = group.whole.find((candidate) => text.startsWith(candidate, at));
      if (whole !== undefined) spans.push([at, at + whole.length]);
      for (const { text: candidate, keep } of group.kept) {
        if (text.startsWith(candidate, at)) spans.push([at + keep, at + candidate.length]);
      }
    }
    return spans;
  };
}
