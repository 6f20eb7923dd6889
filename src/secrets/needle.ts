import { Buffer } from "node:buffer";
import type { Secret } from "./url.ts";

/** A text to look for. */
export interface Needle {
  readonly text: string;
  /** So many characters at its start are only where it must stand, and stay. */
  readonly keep: number;
  /** It is not masked while this is the name of something; null = it is masked whatever it equals. */
  readonly unlessName: string | null;
}

type Spelling = (text: string) => string;

const json: Spelling = (text) => JSON.stringify(text).slice(1, -1);
const jsonTwice: Spelling = (text) => json(json(text));
/** What reads bytes of UTF-8 one character each: percent-encoding, base64, and the heads of answers. */
const bytes: Spelling = (text) => Buffer.from(text.toWellFormed(), "utf8").toString("latin1");
const form: Spelling = (text) => (isAscii(text) ? text : bytes(text)).replaceAll(" ", "+");
const percent: Spelling = (text) => encodeURIComponent(text.toWellFormed());
const lowerPercent: Spelling = (text) => percent(text).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());

const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text);

/**
 * Calls with each text to look for, so that a secret is found in one of the readings of a text (escapes.ts); mostly it
 * is one.
 *
 * A reading misses a secret whose first character completes an escape that begins before it: `%a` before `0%2F…`,
 * `\` before `n\"…`. Only such a secret is looked for as it is spelled, too.
 */
export function eachNeedle(secret: Secret, found: (needle: Needle) => void): void {
  if (typeof secret === "string") spell("", secret, null, found);
  else if ("unlessName" in secret) spell("", secret.secret, secret.unlessName, found);
  else spell(secret.before, secret.secret, null, found);
}

function spell(
  before: string,
  secret: string,
  unlessName: string | null,
  found: (needle: Needle) => void,
): void {
  const whole = before + secret;
  if (whole === "") return;
  found({ text: whole, keep: before.length, unlessName });
  if (/^[\w.~-]*$/.test(whole)) return;
  const spellings = spellingsOf(whole);
  if (spellings.length === 0) return;
  const known = new Set([whole]);
  for (const as of spellings) {
    const text = as(whole);
    if (known.has(text)) continue;
    known.add(text);
    // Each spelling goes character by character, so the two parts can be spelled apart.
    found({ text, keep: as(before).length, unlessName });
  }
}

const none: readonly Spelling[] = [];

function spellingsOf(whole: string): readonly Spelling[] {
  const isText = isAscii(whole);
  const hasSpace = whole.includes(" ");
  const isHex = /^[0-9A-Fa-f]/.test(whole);
  const hasJson = /^[0-9A-Fa-fnrtu]/.test(whole) && /["\\\p{Cc}]/u.test(whole);
  if (isText && !hasSpace && !isHex && !hasJson) return none;
  return [
    ...(isText ? [] : [bytes]),
    ...(hasSpace ? [form] : []),
    ...(isHex ? [percent] : []),
    ...(isHex && /[^\w.~ -]/.test(whole) ? [lowerPercent] : []),
    ...(hasJson ? [json, jsonTwice] : []),
  ];
}
