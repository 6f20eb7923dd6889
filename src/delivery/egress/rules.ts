import { hostOf, withoutEndDots } from "../host-name.ts";
import { type IpNetwork, networkHas, parseIp, parseNetwork, reachedThrough } from "./ip-address.ts";

/** Where deliveries may go. */
export interface Egress {
  /**
   * The rule that forbids the connection, for people; null = allowed.
   *
   * @param hostname What the URL says (host-name.ts).
   * @param address  The IP address that will be connected to, and no other.
   * @param port     Null = whatever the port, it is not checked (a proxy's).
   */
  check(hostname: string, address: string, port: number | null): string | null;
  /**
   * The rule that forbids the host as it is written, so that no look-up is needed to know; null = it is allowed, or
   * depends on its addresses.
   */
  checkWritten(hostname: string, port: number | null): string | null;
}

export interface EgressRules {
  /** Addresses, CIDR ranges, host names and `*.domain`. */
  readonly deny: readonly string[];
  /** The same; wins over every denial, built-in ones too. */
  readonly allow: readonly string[];
  readonly deny_private: boolean;
  /** The only ports; null = any. */
  readonly ports: readonly number[] | null;
}

/** Denied unless allowed by name: nothing that a webhook is meant for lives there. */
const alwaysDenied: readonly (readonly [network: string, rule: string])[] = [
  ["169.254.0.0/16", "link-local"],
  ["fe80::/10", "link-local"],
  // Metadata services outside of the link-local ranges: AWS over IPv6, Google over IPv6, Alibaba, Azure, Oracle.
  ["fd00:ec2::/32", "metadata"],
  ["fd20:ce::254", "metadata"],
  ["100.100.100.200", "metadata"],
  ["168.63.129.16", "metadata"],
  ["192.0.0.192", "metadata"],
];

/** What `deny_private` adds: everything that is not globally reachable (IANA special-purpose registries). */
const privateNetworks: readonly string[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/128",
  "::1/128",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/32",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  "fc00::/7",
  "fec0::/10",
  "ff00::/8",
];

interface Rule {
  readonly network: IpNetwork;
  readonly name: string;
}

/** Compiles checked rules (config/schema-egress.ts). */
export function createEgress(rules: EgressRules): Egress {
  const denied: Rule[] = [
    ...alwaysDenied.flatMap(([text, name]) => toRule(text, name)),
    ...rules.deny.flatMap((text) => toRule(text, `deny ${text}`)),
    ...(rules.deny_private ? privateNetworks.flatMap((text) => toRule(text, "private")) : []),
  ];
  const allowed = rules.allow.flatMap((text) => toRule(text, text));
  const deniedHosts = rules.deny.filter(isHostPattern).map((text) => ({ text, matches: hostMatcher(text) }));
  const allowedHosts = rules.allow.filter(isHostPattern).map(hostMatcher);
  const ports = rules.ports === null ? null : new Set(rules.ports);

  const egress: Egress = {
    check(hostname, address, port) {
      if (port !== null && ports !== null && !ports.has(port)) return `port ${port}`;
      const host = withoutEndDots(hostname.toLowerCase());
      if (allowedHosts.some((matches) => matches(host))) return null;
      const deniedHost = deniedHosts.find(({ matches }) => matches(host));
      const ip = parseIp(address);
      if (ip === null) return "not an IP address";
      for (const reached of reachedThrough(ip)) {
        if (allowed.some(({ network }) => networkHas(network, reached))) continue;
        const rule = denied.find(({ network }) => networkHas(network, reached));
        if (rule !== undefined) return `${rule.name} (${address})`;
        if (deniedHost !== undefined) return `deny ${deniedHost.text}`;
      }
      return null;
    },
    checkWritten(hostname, port) {
      if (parseIp(hostname) !== null) return egress.check(hostname, hostname, port);
      if (port !== null && ports !== null && !ports.has(port)) return `port ${port}`;
      const host = withoutEndDots(hostname.toLowerCase());
      // An allowed range may hold its addresses, and allow wins.
      if (allowed.length > 0 || allowedHosts.some((matches) => matches(host))) return null;
      const deniedHost = deniedHosts.find(({ matches }) => matches(host));
      return deniedHost === undefined ? null : `deny ${deniedHost.text}`;
    },
  };
  return egress;
}

function toRule(text: string, name: string): Rule[] {
  const network = networkOf(text);
  return network === null ? [] : [{ network, name }];
}

/** An address or range; an address in one of the spellings that URLs have for it, too. */
function networkOf(text: string): IpNetwork | null {
  const network = parseNetwork(text);
  if (network !== null || text.startsWith("*.")) return network;
  const host = hostOfText(text);
  return host.isAddress ? parseNetwork(host.hostname) : null;
}

function isHostPattern(text: string): boolean {
  return networkOf(text) === null;
}

/** `example.com` is that host alone, `*.example.com` every host below it. */
function hostMatcher(pattern: string): (host: string) => boolean {
  if (!pattern.startsWith("*.")) {
    const wanted = withoutEndDots(hostOfText(pattern).hostname);
    return (host) => host === wanted;
  }
  const suffix = `.${withoutEndDots(hostOfText(pattern.slice(2)).hostname)}`;
  return (host) => host.endsWith(suffix) && host.length > suffix.length;
}

/** A rule's host as the parser of URLs writes it: what it is compared with came from there. */
function hostOfText(text: string): { readonly hostname: string; readonly isAddress: boolean } {
  return hostOf(URL.parse(`http://${text}/`) ?? { hostname: text });
}
