import * as v from "valibot";

/**
 * The kinds of value a key can have. Each carries a description for editors (`hookline config schema`) and,
 * as the message of its checks, the words that complete "expected …" in an issue (issues.ts).
 */

/** Timers take no more (a signed 32-bit number of milliseconds): 24.8 days. */
const longestMs = 2_147_483_647;

/** A whole number; the message names the limits. */
export function integer(limits: { readonly min: number; readonly max?: number }, description: string) {
  const max = limits.max ?? Number.MAX_SAFE_INTEGER;
  const expectation =
    limits.max === undefined
      ? `an integer of at least ${limits.min}`
      : `an integer from ${limits.min} to ${limits.max}`;
  return v.pipe(
    v.number(expectation),
    v.integer(expectation),
    v.minValue(limits.min, expectation),
    v.maxValue(max, expectation),
    v.description(description),
  );
}

/** A duration in whole milliseconds, no longer than a timer can wait. */
export function milliseconds(min: number, description: string) {
  const expectation = `an integer of at least ${min} (milliseconds)`;
  return v.pipe(
    v.number(expectation),
    v.integer(expectation),
    v.minValue(min, expectation),
    v.maxValue(longestMs, `at most ${longestMs} milliseconds (24.8 days)`),
    v.description(description),
  );
}

/** A duration in whole milliseconds that is compared with clocks and that no timer waits for: months are fine. */
export function longMilliseconds(min: number, description: string) {
  return integer({ min }, description);
}

/** A number from 0 to 1. */
export function share(description: string) {
  const expectation = "a number from 0 to 1";
  return v.pipe(
    v.number(expectation),
    v.minValue(0, expectation),
    v.maxValue(1, expectation),
    v.description(description),
  );
}

/** A number above 0, fractions allowed: a rate. */
export function rate(description: string) {
  const expectation = "a number above 0";
  return v.pipe(v.number(expectation), v.gtValue(0, expectation), v.description(description));
}

/** Attempts in flight per queue, as every backend's section has it. */
export const concurrency = integer(
  { min: 1 },
  "Attempts in flight per queue, plus one for each endpoint that has none in flight.",
);

/** true or false. */
export function flag(description: string) {
  return v.pipe(v.boolean("true or false"), v.description(description));
}

/** One of a few words. Case is folded before the schema sees the value (admit.ts). */
export function choice<const Options extends readonly string[]>(options: Options, description: string) {
  const words = options.map((option) => `"${option}"`).join(", ");
  return v.pipe(v.picklist(options, `one of ${words}`), v.description(description));
}

/** Text that is not empty. */
export function text(description: string) {
  const expectation = "a string that is not empty";
  return v.pipe(v.string(expectation), v.nonEmpty(expectation), v.description(description));
}

/** Text of a certain form; `expectation` completes "expected …". */
export function textLike(pattern: RegExp, expectation: string, description: string) {
  return v.pipe(v.string(expectation), v.regex(pattern, expectation), v.description(description));
}

/**
 * Host name or IP address. Anything else is refused here rather than by the name server, and a whole URL put
 * in its place, password and all, is not taken for a host and printed.
 */
export function host(description: string) {
  return textLike(
    /^[^\s/:@?#]+$|^[0-9A-Fa-f:.]+(?:%\w+)?$/,
    "a host name or an IP address, without a port",
    description,
  );
}

/** An AWS region, as in eu-west-1. */
export function region(description: string) {
  return textLike(/^[A-Za-z0-9-]+$/, "a region as in eu-west-1", description);
}

/** Name of a receiver; "." and ".." would vanish from the paths of the API (URL Standard, "dot segments"). */
export function receiverName(description: string) {
  return textLike(
    /^(?!\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$/,
    'a name of 1 to 128 letters, digits and . _ : @ -, not "." or ".."',
    description,
  );
}

/** Text checked by a function that answers what is wrong, or null; the answer completes "expected …". */
export function checkedText(
  expectation: string,
  problem: (text: string) => string | null,
  description: string,
) {
  return v.pipe(
    v.string(expectation),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const found = problem(dataset.value);
      if (found !== null) addIssue({ message: found });
    }),
    v.description(description),
  );
}

/** How secrets/ treats a value, kept as metadata of its schema so that a new key cannot be forgotten. */
export type Secrecy = (typeof secretValue | typeof secretUrl | typeof secretAddress)["x-secret"];

/** Never shown: `***`. In a pipe as `v.metadata(secretValue)`; editors see it as `x-secret`. */
export const secretValue = { "x-secret": "value" } as const;
/** A receiver's URL: scheme, host and first path segment are shown. */
export const secretUrl = { "x-secret": "url" } as const;
/** A backend's URL: user info and query are hidden; the path names a queue or a database. */
export const secretAddress = { "x-secret": "address" } as const;

/** A key, secret, password or token. */
export function secretText(description: string) {
  return v.pipe(text(description), v.metadata(secretValue));
}

/** A secret of free form, as a client option. */
export const secretAnything = v.pipe(v.unknown(), v.metadata(secretValue));
