import { Buffer } from "node:buffer";

/**
 * What in a URL is secret, and the URL without it.
 *
 * A receiver's URL often is its own password (`https://hooks.example/services/T0/B0/x7…`), so only its scheme,
 * host and first path segment are shown. The path of a backend's URL names a database or a queue.
 */

/** The parts of `scheme://user:password@host/path?query` as they are written; no decoding. */
const urlParts = /^([a-z][a-z0-9+.-]*:\/\/)(?:([^/?#@]*(?:@[^/?#@]*)*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?/i;

/** The URL with `***` for its secret parts; `***` alone for what is no URL. */
export function redactUrl(url: string, kind: "url" | "address"): string {
  const parts = urlParts.exec(url);
  if (parts === null) return "***";
  const [, scheme = "", userInfo, host = "", path = "", query] = parts;
  const shown = kind === "address" ? path : (/^\/?[^/]*/.exec(path)?.[0] ?? "");
  const isCut = shown.length < path.length && path.slice(shown.length) !== "/";
  const rest = isCut ? "/***" : query === undefined ? path.slice(shown.length) : "?***";
  return `${scheme}${userInfo === undefined ? "" : "***@"}${host}${shown}${rest}`;
}

/** Texts that must not stand in anything printed, in the spelling of the URL and as the URL parser writes it. */
export function urlSecrets(url: string, kind: "url" | "address"): string[] {
  const spellings = new Set([url, URL.parse(url)?.href ?? url]);
  const found = [...spellings].flatMap((spelling) => {
    const [, , userInfo = "", , path = "", query = ""] = urlParts.exec(spelling) ?? [];
    return [
      ...userInfoSecrets(userInfo),
      ...(kind === "url" ? pathSecrets(path) : []),
      ...querySecrets(query),
    ];
  });
  return [...new Set(found)].filter((text) => text !== "");
}

function userInfoSecrets(userInfo: string): string[] {
  const colon = userInfo.indexOf(":");
  // A user name alone is a token; beside a password it mostly is a name (redis://default:…).
  if (colon === -1) return [userInfo, decode(userInfo)];
  const user = userInfo.slice(0, colon);
  const password = userInfo.slice(colon + 1);
  const plain = decode(userInfo);
  const basic = Buffer.from(plain).toString("base64");
  return [userInfo, plain, password, decode(password), basic, ...[user, decode(user)].filter(looksRandom)];
}

/** The path beyond its first segment as one text. With its slash, so that `/hooks/webhooks` does not mask a word. */
function pathSecrets(path: string): string[] {
  const rest = /^\/[^/]*(\/.+)$/.exec(path)?.[1];
  if (rest === undefined) return [];
  const segments = rest.slice(1).split("/");
  return [
    rest,
    decode(rest),
    ...(segments.length > 1 ? [rest.slice(1)] : []),
    ...segments.filter(looksRandom),
  ];
}

function querySecrets(query: string): string[] {
  const pairs = query.split("&");
  const values = pairs.map((pair) => pair.slice(pair.indexOf("=") + 1));
  return [query, ...pairs, ...values.filter(looksRandom), ...values.filter(looksRandom).map(decode)];
}

/** Tells a token from a word: `json`, `incoming` and `v2` stand in logs for other reasons. */
function looksRandom(text: string): boolean {
  return text.length >= 16 || (text.length >= 8 && /\d/.test(text));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
