import { Buffer } from "node:buffer";

/**
 * What in a URL is secret, and the URL without it.
 *
 * A receiver's URL often is its own password (`https://hooks.example/services/T0/B0/x7…`), so only its scheme,
 * host and first path segment are shown. The path of a backend's URL names a database or a queue.
 */

/** The parts of `scheme://user:password@host/path?query` as they are written; no decoding. */
const urlParts = /^([a-z][a-z0-9+.-]*:\/\/)(?:([^/?#]*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?/i;

/** The URL with `***` for its secret parts; `***` alone for what is no URL. */
export function redactUrl(url: string, kind: "url" | "address"): string {
  const parts = urlParts.exec(url);
  // An ARN names a queue, and opens nothing.
  if (parts === null) return kind === "address" && /^arn:[a-z0-9-]+:sqs:[\w:.-]*$/.test(url) ? url : "***";
  const [, scheme = "", userInfo, host = "", path = "", query] = parts;
  const shown = kind === "address" ? path : (/^\/?[^/]*/.exec(path)?.[0] ?? "");
  const isCut = shown.length < path.length && path.slice(shown.length) !== "/";
  const rest = isCut ? "/***" : query === undefined ? path.slice(shown.length) : "?***";
  return `${scheme}${userInfo === undefined ? "" : "***@"}${host}${shown}${rest}`;
}

/**
 * A text that must not be shown: anywhere, or only where it follows another one, which stays. (`orders` is a
 * word; in `/hooks/orders` it may be what opens the door.)
 */
export type Secret =
  | string
  | { readonly before: string; readonly secret: string }
  /** Hidden unless `unlessName` is what something is called: names stand in logs and answers. */
  | { readonly secret: string; readonly unlessName: string };

/** URLs that the parser writes as they are, or differently in host and port only. */
const plainUrl = /^https?:\/\/[\w.:-]+\/(?:[\w~-][\w~.-]*\/)*(?:[\w~-][\w~.-]*)?$/;

/**
 * What must not be shown of a URL, in its own spelling and as the URL parser writes it.
 *
 * User info is masked wherever it stands. The path beyond the first segment is masked where it follows that
 * segment: in the URL and in the path alone, `/hooks/orders` → `/hooks***`. By itself (`/orders`, `orders`) it
 * is masked only when nothing is called so and it looks like a token or has at least 8 characters: a URL
 * that ends in a word, as most do, would otherwise tear that word out of every label, queue and message. The same
 * goes for a query without names (`?orders`).
 */
export function urlSecrets(url: string, kind: "url" | "address"): Secret[] {
  const found: Secret[] = [];
  addUrlSecrets(url, kind, found);
  return found;
}

/** Adds to a list what urlSecrets answers: with thousands of URLs a list for each takes longer than the search. */
export function addUrlSecrets(url: string, kind: "url" | "address", found: Secret[]): void {
  addWrittenSecrets(url, kind, found);
  if (plainUrl.test(url)) return;
  const parsed = URL.parse(url)?.href ?? url;
  if (parsed !== url) addWrittenSecrets(parsed, kind, found);
}

function addWrittenSecrets(url: string, kind: "url" | "address", found: Secret[]): void {
  const [, , userInfo = "", , path = "", query = ""] = urlParts.exec(url) ?? [];
  if (userInfo !== "") found.push(...userInfoSecrets(userInfo));
  if (kind === "url") addPathSecrets(path, found);
  if (query !== "") found.push(...querySecrets(query));
}

function userInfoSecrets(userInfo: string): string[] {
  const colon = userInfo.indexOf(":");
  // A user name alone is a token; beside a password it mostly is a name (redis://default:…).
  if (colon === -1) return [userInfo, decode(userInfo)];
  const user = userInfo.slice(0, colon);
  const password = userInfo.slice(colon + 1);
  const plain = decode(userInfo);
  const basic = Buffer.from(plain).toString("base64");
  const found = [
    userInfo,
    plain,
    password,
    decode(password),
    basic,
    ...[user, decode(user)].filter(looksRandom),
  ];
  return found.filter((secret) => secret !== "");
}

function addPathSecrets(path: string, found: Secret[]): void {
  const end = path.indexOf("/", 1);
  if (path === "" || end === -1 || end === path.length - 1) return;
  const first = path.slice(0, end);
  const rest = path.slice(end);
  found.push({ before: first, secret: rest });
  if (path.includes("%")) found.push({ before: decode(first), secret: decode(rest) });
  const segments = rest.slice(1).split("/");
  const bare = rest.slice(1, rest.endsWith("/") ? -1 : undefined);
  if (mayStandAlone(bare)) {
    // A single word keeps its slash, so that `/hooks/callbacks` does not mask the word.
    addDecodedToo(rest, bare, found);
    if (segments.length > 1) addDecodedToo(rest.slice(1), bare, found);
  }
  for (const segment of segments) {
    if (looksRandom(segment)) found.push({ secret: segment, unlessName: decode(segment) });
  }
}

function querySecrets(query: string): Secret[] {
  const pairs = query.split("&");
  const values = pairs.map((pair) => pair.slice(pair.indexOf("=") + 1)).filter(looksRandom);
  const found = [query, ...pairs].flatMap((part): Secret[] => {
    if (part === "") return [];
    if (part.includes("=")) return [part];
    const inPlace = [
      { before: "?", secret: part },
      { before: "&", secret: part },
    ];
    return mayStandAlone(part) ? [...inPlace, ...decodedToo(part, part)] : inPlace;
  });
  return [...found, ...values, ...values.map(decode)].filter((secret) => secret !== "");
}

/** Hides a text wherever it stands, as it is and decoded. */
function decodedToo(secret: string, name: string): Secret[] {
  const found: Secret[] = [];
  addDecodedToo(secret, name, found);
  return found;
}

function addDecodedToo(secret: string, name: string, found: Secret[]): void {
  const unlessName = decode(name);
  found.push({ secret, unlessName });
  if (secret.includes("%")) found.push({ secret: decode(secret), unlessName });
}

/** Whether a text is masked wherever it stands, unless something is called so. */
function mayStandAlone(text: string): boolean {
  return looksRandom(text) || text.length >= 8;
}

/** Tells a token from a word: `json`, `incoming` and `v2` stand in logs for other reasons. */
function looksRandom(text: string): boolean {
  return text.length >= 16 || (text.length >= 8 && /\d/.test(text));
}

function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
