import { isIP } from "node:net";
import { hasEmptyPart } from "../delivery/host-name.ts";

/**
 * Checks of URLs and addresses. Each answers what was expected instead (completing "expected …"), or null
 * when there is nothing wrong. None of them quotes the URL: it may hold a secret.
 */

/** A receiver's URL: http or https. User info is allowed, and sent as basic authorization. */
export function receiverUrlProblem(url: string): string | null {
  return httpUrlProblem(url);
}

/** An http or https URL without a fragment. */
export function httpUrlProblem(url: string): string | null {
  // The URL parser drops tabs, line breaks and outer spaces without a word.
  if (/[\s\p{Cc}]/u.test(url)) return "a URL without spaces or line breaks";
  const parsed = URL.parse(url);
  if (parsed === null) return "an http:// or https:// URL";
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    return "an http:// or https:// URL";
  }
  // URL.parse takes http:host and http:/host too, and sends them where nobody looks.
  if (!/^https?:\/\/[^/]/i.test(url)) return "an http:// or https:// URL";
  if (url.includes("#")) return "a URL without a fragment (#…), which is never sent";
  if (hasEmptyPart(parsed.hostname))
    return "a URL whose host has no empty part: a dot stands between two names";
  if (parsed.port === "0") return "a URL with a port from 1 to 65535";
  return null;
}

/** A proxy: http or https, nothing behind the host. */
export function proxyUrlProblem(url: string): string | null {
  const problem = httpUrlProblem(url);
  if (problem !== null) return problem;
  const parsed = new URL(url);
  return parsed.pathname === "/" && parsed.search === "" ? null : "a proxy's URL without a path or query";
}

/** An IP address, a CIDR range, a host name, or `*.domain`. */
export function networkProblem(network: string): string | null {
  const expectation = "an IP address, a CIDR range or a host name";
  const [address = "", bits, ...more] = network.split("/", 3);
  const version = isIP(address);
  if (version === 0) {
    // What looks like an address and is none would never match anything.
    if (isHostPattern(network) && !/^[\d.]+$/.test(network)) return null;
    return /:\d+$/.test(network) ? `${expectation}, without a port (see egress.ports)` : expectation;
  }
  if (bits === undefined) return null;
  const isRange = more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  return isRange ? null : `${expectation} (the number of bits is wrong)`;
}

/** Labels of letters, digits, `_` and inner `-`, at most 63 each and 253 together (RFC 1035 §2.3.4); `*.` may lead, a dot end. */
function isHostPattern(text: string): boolean {
  const name = text.replace(/^\*\./, "").replace(/\.$/, "");
  return (
    name.length <= 253 &&
    name.split(".").every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/i.test(label))
  );
}
