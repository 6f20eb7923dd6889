import { longestRead, maskBounded, shortened } from "../bounded-text.ts";
import type { Destination } from "./destination.ts";

/** Longest name in DNS (RFC 1035 §2.3.4). */
const longestHost = 253;

/** `//` with what follows it up to the path; before it the scheme, if any. */
const authorityForm = /^(?:(https?):)?\/\/([^/?#\\]*)/i;
/** An absolute URL of another scheme, or what only some readers take for one with a host. */
const otherForm = /^[a-z][a-z0-9+.-]*:|^[/\\]{2}|\\/i;
/** Names and addresses with their port; `*` is the mark of what is masked. */
const plainHost = /^(?:[A-Za-z0-9._~*-]+|\[[0-9A-Fa-f.:]+\])(?::\d{1,5})?$/;

/**
 * Scheme and host of a Location header, as an outcome may show them: its path and query may hold secrets. Null
 * when there is none, or none that can be read for certain.
 *
 * A receiver may send back what it was sent. So the text is masked as it came, and what is shown of it is as it
 * came too: read by a URL parser first, a secret would be there in lower case or decoded, where no mask finds it.
 */
export function shownLocation(
  location: string | null,
  { secure, headers, hostname }: Pick<Destination, "secure" | "headers" | "hostname">,
  mask: (text: string) => string,
): string | null {
  if (location === null) return null;
  const own = secure ? "https" : "http";
  const text = maskBounded(location, mask);
  const [found = "", scheme = own, authority] = authorityForm.exec(text) ?? [];
  if (authority === undefined) {
    return otherForm.test(text) ? null : `${own}://${headers[0]?.[1] ?? hostname}`;
  }
  // Cut off within it: what is there may be user info, and the host comes later.
  if (location.length > longestRead && found.length === text.length) return null;
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (!plainHost.test(host)) return null;
  return `${scheme.toLowerCase()}://${shortened(host, longestHost)}`;
}
