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
export type Secret = string | { readonly before: string; readonly secret: string };

const nobody: ReadonlySet<string> = new Set();

/**
 * What must not be shown of a URL, in its own spelling and as the URL parser writes it.
 *
 * User info is masked wherever it stands. The path beyond the first segment is masked where it follows that
 * segment: in the URL and in the path alone, `/hooks/orders` → `/hooks***`. By itself (`/orders`, `orders`) it
 * is masked only when it is no configured name and looks like a token or has at least 8 characters: a URL
 * that ends in a word, as most do, would otherwise tear that word out of every label, queue and message. The same
 * goes for a query without names (`?orders`).
 *
 * @param names What apps, endpoints and queues are called, and labels such as `app/endpoint`.
 */
export function urlSecrets(
  url: string,
  kind: "url" | "address",
  names: ReadonlySet<string> = nobody,
): Secret[] {
  const spellings = new Set([url, URL.parse(url)?.href ?? url]);
  const found = [...spellings].flatMap((spelling): Secret[] => {
    const [, , userInfo = "", , path = "", query = ""] = urlParts.exec(spelling) ?? [];
    return [
      ...userInfoSecrets(userInfo),
      ...(kind === "url" ? pathSecrets(path, names) : []),
      ...querySecrets(query, names),
    ];
  });
  return [...new Set(found)].filter((secret) => secret !== "");
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

function pathSecrets(path: string, names: ReadonlySet<string>): Secret[] {
  const [, first, rest] = /^(\/[^/]*)(\/.+)$/.exec(path) ?? [];
  if (first === undefined || rest === undefined) return [];
  const found: Secret[] = [
    { before: first, secret: rest },
    { before: decode(first), secret: decode(rest) },
  ];
  const segments = rest.slice(1).split("/");
  if (standsAlone(rest.replace(/^\/|\/$/g, ""), names)) {
    found.push(rest, decode(rest));
    // A single word keeps its slash, so that `/hooks/callbacks` does not mask the word.
    if (segments.length > 1) found.push(rest.slice(1), decode(rest.slice(1)));
  }
  return [...found, ...segments.filter((segment) => looksRandom(segment) && standsAlone(segment, names))];
}

function querySecrets(query: string, names: ReadonlySet<string>): Secret[] {
  const pairs = query.split("&");
  const values = pairs.map((pair) => pair.slice(pair.indexOf("=") + 1)).filter(looksRandom);
  const found = [query, ...pairs].flatMap((part): Secret[] => {
    if (part.includes("=") || standsAlone(part, names)) return [part];
    return part === ""
      ? []
      : [
          { before: "?", secret: part },
          { before: "&", secret: part },
        ];
  });
  return [...found, ...values, ...values.map(decode)];
}

/** Whether a text is masked wherever it stands. */
function standsAlone(text: string, names: ReadonlySet<string>): boolean {
  return !names.has(text) && !names.has(decode(text)) && (looksRandom(text) || text.length >= 8);
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
