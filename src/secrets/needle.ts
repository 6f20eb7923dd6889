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
 * The texts to look for, so that a secret is found in one of the readings of a text (readings.ts); mostly it is one.
 *
 * A reading misses a secret whose first character completes an escape that begins before it: `%a` before `0%2F…`,
 * `\` before `n\"…`. Only such a secret is looked for as it is spelled, too.
 */
export function needlesOf(secret: Secret): Needle[] {
  if (typeof secret === "string") return spell("", secret, null);
  if ("unlessName" in secret) return spell("", secret.secret, secret.unlessName);
  return spell(secret.before, secret.secret, null);
}

function spell(before: string, secret: string, unlessName: string | null): Needle[] {
  const whole = before + secret;
  if (whole === "") return [];
  const needles: Needle[] = [{ text: whole, keep: before.length, unlessName }];
  if (/^[\w.~-]*$/.test(whole)) return needles;
  const look = (as: Spelling): void => {
    const text = as(whole);
    if (needles.some((known) => known.text === text)) return;
    // Each spelling goes character by character, so the two parts can be spelled apart.
    needles.push({ text, keep: as(before).length, unlessName });
  };
  if (!isAscii(whole)) look(bytes);
  if (whole.includes(" ")) look(form);
  if (/^[0-9A-Fa-f]/.test(whole)) {
    look(percent);
    if (/[^\w.~ -]/.test(whole)) look(lowerPercent);
  }
  if (/^[0-9A-Fa-fnrtu]/.test(whole) && /["\\\p{Cc}]/u.test(whole))
    for (const as of [json, jsonTwice]) look(as);
  return needles;
}
