import { urlSecrets } from "./secret-url.ts";
import { configSchema } from "./schema.ts";
import { childNode, secrecyOf, type SchemaNode } from "./schema-tree.ts";

/**
 * Every text in a configuration that must not leave the process (contract §1.8): what the schema marks as
 * secret, and the secret parts of URLs.
 *
 * A key or a header's value that is also the name of an app, an endpoint or a queue is not in it: names
 * stand in logs and answers, and masking them would hide nothing but the logs' meaning.
 *
 * @param config Checked or not: what does not fit the schema is passed over.
 */
export function secretsOf(config: unknown): string[] {
  const secrets = new Set<string>();
  const names = namesOf(config);
  const add = (secret: string, path: readonly string[]): void => {
    const isSoft = path.at(-1) === "key" ? path.length === 3 : path.includes("headers");
    if (secret === "" || (isSoft && names.has(secret))) return;
    secrets.add(secret);
    for (const part of partsOf(secret)) secrets.add(part);
  };
  const visit = (node: SchemaNode, value: unknown, path: readonly string[], isSecret: boolean): void => {
    const secrecy = isSecret ? "value" : secrecyOf(node);
    if (typeof value === "string") {
      if (secrecy === "value") add(value, path);
      else if (secrecy !== null) for (const part of urlSecrets(value, secrecy)) secrets.add(part);
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const childSchema = childNode(node, key) ?? (secrecy === "value" ? node : undefined);
      // Of the client options, the region is no secret and stands in every AWS URL.
      if (childSchema !== undefined && key !== "region") {
        visit(childSchema, child, [...path, key], secrecy === "value");
      }
    }
  };
  visit(configSchema, config, [], false);
  return [...secrets];
}

/** Parts of a secret that are secrets of their own. */
function partsOf(secret: string): string[] {
  const parts: string[] = [];
  // "Bearer abc…" of an authorization header; whsec_… of a signing key; the lines of a PEM block.
  const token = /^(?:(?:Bearer|Basic|Token|ApiKey) +|whsec_|whsk_)(\S{4,})$/i.exec(secret)?.[1];
  if (token !== undefined) parts.push(token);
  if (secret.includes("-----BEGIN ")) parts.push(...(secret.match(/^[A-Za-z0-9+/=]{20,}$/gm) ?? []));
  return parts;
}

/** Ids of apps, names of webhooks, endpoints and queues. */
function namesOf(config: unknown): Set<string> {
  const { apps, endpoints, queue } = (config ?? {}) as {
    apps?: { id?: unknown; webhooks?: { name?: unknown }[] }[];
    endpoints?: object;
    queue?: { queues?: unknown };
  };
  const list = <T>(value: T[] | undefined): T[] => (Array.isArray(value) ? value : []);
  const found: unknown[] = [
    ...list(apps).flatMap((app) => [app?.id, ...list(app?.webhooks).map((webhook) => webhook?.name)]),
    ...Object.keys(typeof endpoints === "object" && endpoints !== null ? endpoints : {}),
    ...list(queue?.queues as unknown[]).map((entry) => (entry as { name?: unknown } | null)?.name ?? entry),
  ];
  return new Set(found.filter((name) => typeof name === "string"));
}

const mark = "***";

/** Shorter ones are masked as whole words only, or every other letter of a log would be masked. */
const shortest = 4;

/**
 * A function that replaces every secret in a text by `***`, however it is spelled: as it is, escaped for JSON
 * (once or twice), or percent-encoded; and whatever stands after `"app_secret":` or `"appSecret":`, also
 * inside JSON inside JSON. Overlapping secrets are masked together.
 *
 * Its cost is one pass over the text and does not grow with the number of secrets. A secret of fewer than four
 * characters is masked only where it stands as a word of its own.
 */
export function createMasker(secrets: readonly string[]): (text: string) => string {
  const spelled = [...new Set(secrets.flatMap(spellings))].filter((text) => text !== "");
  const find = createFinder(spelled.filter(({ length }) => length >= shortest));
  const short = spelled.filter(({ length }) => length < shortest).map(wholeWord);
  const words = short.length === 0 ? null : new RegExp(short.sort(longestFirst).join("|"), "g");
  return (text) => {
    let masked = text;
    const spans = find(text);
    if (spans.length > 0) {
      let from = 0;
      masked = "";
      for (const [start, end] of spans) {
        masked += text.slice(from, start) + mark;
        from = end;
      }
      masked += text.slice(from);
    }
    if (words !== null) masked = masked.replace(words, mark);
    return masked.includes("ecret") ? maskAppSecrets(masked) : masked;
  };
}

const longestFirst = (left: string, right: string): number => right.length - left.length;

/** Every way in which a secret is written in what hookline prints. */
function spellings(secret: string): string[] {
  const text = secret.toWellFormed();
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replace(
    /[\u0080-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const percent = encodeURIComponent(text);
  const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const encoded = [percent, strict, encodeURI(text), percent.replaceAll("%20", "+")];
  const escaped = [json, json.replaceAll("/", "\\/"), ascii];
  return [
    secret,
    ...encoded,
    ...encoded.map((variant) => variant.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())),
    ...escaped,
    ...escaped.map((variant) => JSON.stringify(variant).slice(1, -1)),
  ];
}

/** A pattern for a text that is no part of a longer word. */
function wholeWord(text: string): string {
  const before = /^\w/.test(text) ? "(?<!\\w)" : "";
  const after = /\w$/.test(text) ? "(?!\\w)" : "";
  return `${before}${RegExp.escape(text)}${after}`;
}

/**
 * Finds all places of many needles, merged where they overlap. A table of the needles' first two
 * characters rejects nearly every position at once: one pattern of a thousand alternatives would try them all.
 */
function createFinder(needles: readonly string[]): (text: string) => [number, number][] {
  const starts = new Uint8Array(65_536);
  const byStart = new Map<number, string[]>();
  const keyAt = (text: string, at: number): number => text.charCodeAt(at) * 65_536 + text.charCodeAt(at + 1);
  const slotOf = (key: number): number => (key ^ (key >>> 11)) & 0xffff;
  for (const needle of needles.toSorted(longestFirst)) {
    const key = keyAt(needle, 0);
    starts[slotOf(key)] = 1;
    byStart.set(key, [...(byStart.get(key) ?? []), needle]);
  }
  return (text) => {
    const spans: [number, number][] = [];
    if (needles.length === 0) return spans;
    for (let at = 0; at + shortest <= text.length; at += 1) {
      const key = keyAt(text, at);
      if (starts[slotOf(key)] === 0) continue;
      const needle = byStart.get(key)?.find((candidate) => text.startsWith(candidate, at));
      if (needle === undefined) continue;
      const end = at + needle.length;
      const last = spans.at(-1);
      if (last !== undefined && at <= last[1]) last[1] = Math.max(last[1], end);
      else spans.push([at, end]);
    }
    return spans;
  };
}

// A value cut off by the end of the text is masked to the end, and so is one that is no string, number or word.
const plainAppSecret =
  /"(app_secret|appSecret)"(\s*:\s*)(?:"(?:[^"\\]|\\[\s\S])*(?:"|\\?$)|[[{][\s\S]*|[^\s",}\]]+)/g;
// Inside a JSON string every quote has the same backslashes before it; one more level has more.
const escapedAppSecret =
  /(?<!\\)(\\+)"(app_secret|appSecret)\1"((?:\s|\\+[nrt])*:(?:\s|\\+[nrt])*)(?:\1"[\s\S]*?(?:(?<!\\)\1"|$)|[[{][\s\S]*|[^\s",}\]\\]+)/g;

function maskAppSecrets(text: string): string {
  return text.replace(plainAppSecret, `"$1"$2"${mark}"`).replace(escapedAppSecret, `$1"$2$1"$3$1"${mark}$1"`);
}
