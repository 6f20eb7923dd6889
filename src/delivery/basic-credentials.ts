import { Buffer } from "node:buffer";

/** `Basic …` (RFC 7617, UTF-8) of a URL's user info, both parts percent-encoded as the URL holds them. */
export function basicCredentials(username: string, password: string): string {
  const text = `${decodePercent(username)}:${decodePercent(password)}`;
  return `Basic ${Buffer.from(text, "utf8").toString("base64")}`;
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone % stands for itself.
    return text;
  }
}
