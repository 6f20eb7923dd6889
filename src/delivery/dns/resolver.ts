import { promises as dns } from "node:dns";
import type { Clock } from "../../clock.ts";
import { orLate } from "../../wait.ts";
import { hasEmptyPart, withoutEndDots } from "../host-name.ts";
import { createHostsFile, createRereader } from "./hosts-file.ts";
import { type Answer, askBothFamilies, failure } from "./name-query.ts";
import type { Resolution } from "./resolution.ts";
import { candidateNames, parseResolvConf, type ResolvConf } from "./resolv-conf.ts";

/**
 * Names to addresses, without the system's blocking lookup.
 *
 * `getaddrinfo` runs on two threads here: two names whose server is silent would stall every delivery of
 * the process (runtime-facts §4). c-ares asks over its own sockets instead, with timeouts, so that a
 * silent name server delays its own endpoints only. What getaddrinfo reads besides (hosts file, search
 * domains) is read here.
 */
export interface Resolver {
  /** The answer known right now, or null when the name has to be asked for. Costs no round trip. */
  known(name: string): Resolution | null;
  /** The answer; never rejects. Concurrent questions for one name share one lookup. */
  resolve(name: string): Promise<Resolution>;
  /** Cancels what is being asked. */
  close(): void;
}

export interface ResolverOptions {
  readonly clock: Clock;
  /** `address` or `address:port` of name servers instead of the system's; search domains are off then. */
  readonly servers?: readonly string[] | null;
  /** Limit of one lookup in all, search domains and repeats included. Default 5000. */
  readonly timeoutMs?: number;
  /** Default /etc/hosts and /etc/resolv.conf. */
  readonly hostsPath?: string;
  readonly resolvConfPath?: string;
}

const fileTtlMs = 5000;
const maxEntries = 10_000;

const noConf: ResolvConf = { servers: [], search: [], ndots: 1 };

interface Entry {
  readonly resolution: Resolution;
  readonly expiresAt: number;
}

/** A resolver with a cache: answers by their TTL between 1 s and 5 min, failures for 1 s. */
export function createResolver(options: ResolverOptions): Resolver {
  const { clock } = options;
  const timeoutMs = options.timeoutMs ?? 5000;
  const monotonic = (): number => clock.monotonic();
  const hosts = createHostsFile(options.hostsPath ?? "/etc/hosts", monotonic);
  const own: ResolvConf | null =
    options.servers === undefined || options.servers === null
      ? null
      : { ...noConf, servers: options.servers };
  const readConf =
    own === null
      ? createRereader(options.resolvConfPath ?? "/etc/resolv.conf", monotonic, parseResolvConf, noConf)
      : () => own;
  const cache = new Map<string, Entry>();
  const asking = new Map<string, Promise<Resolution>>();
  let channel: { conf: ResolvConf; resolver: dns.Resolver } | null = null;

  const channelFor = (conf: ResolvConf): dns.Resolver => {
    if (channel?.conf === conf) return channel.resolver;
    const resolver = new dns.Resolver({ timeout: 1000, tries: 3 });
    if (conf.servers.length > 0) resolver.setServers(conf.servers.map(withPort));
    channel = { conf, resolver };
    return resolver;
  };

  const ask = async (name: string): Promise<Answer> => {
    if (hasEmptyPart(name)) return failure("EBADNAME");
    const plain = withoutEndDots(name);
    const fixed = hosts.addresses(plain) ?? loopbackOf(plain);
    if (fixed !== undefined) {
      return { resolution: { ok: true, addresses: inOrder(fixed) }, ttlMs: fileTtlMs };
    }
    const conf = readConf();
    const resolver = channelFor(conf);
    let code = "ENOTFOUND";
    for (const candidate of candidateNames(name, conf)) {
      const answer = await askBothFamilies(resolver, candidate);
      if (answer.resolution.ok) return answer;
      // A server that refuses one search domain may know the next name; one that is silent knows none.
      if (answer.resolution.code !== "ENOTFOUND") code = answer.resolution.code;
      if (code === "ETIMEOUT" || code === "ECANCELLED") break;
    }
    return failure(code);
  };

  const askInTime = async (name: string): Promise<Answer> =>
    (await orLate(ask(name), timeoutMs)) ?? failure("ETIMEOUT");

  const remember = (name: string, answer: Answer): Resolution => {
    cache.delete(name);
    if (cache.size >= maxEntries) {
      for (const oldest of cache.keys()) {
        cache.delete(oldest);
        break;
      }
    }
    cache.set(name, { resolution: answer.resolution, expiresAt: clock.monotonic() + answer.ttlMs });
    return answer.resolution;
  };

  const known = (name: string): Resolution | null => {
    const entry = cache.get(name);
    return entry !== undefined && clock.monotonic() < entry.expiresAt ? entry.resolution : null;
  };

  return {
    known,
    resolve(name) {
      const fresh = known(name);
      if (fresh !== null) return Promise.resolve(fresh);
      const running = asking.get(name);
      if (running !== undefined) return running;
      const started = askInTime(name)
        .then((answer) => remember(name, answer))
        .finally(() => asking.delete(name));
      asking.set(name, started);
      return started;
    },
    close() {
      channel?.resolver.cancel();
    },
  };
}

/** `localhost` and everything under it is loopback, whatever a name server says (RFC 6761 §6.3). */
function loopbackOf(name: string): readonly string[] | undefined {
  return name === "localhost" || name.endsWith(".localhost") ? ["127.0.0.1", "::1"] : undefined;
}

/**
 * IPv4 first: an attempt does not race two connects (RFC 8305 §5), and a machine without an IPv6 route is far
 * more common than one without IPv4.
 */
function inOrder(addresses: readonly string[]): string[] {
  const isV6 = (address: string): boolean => address.includes(":");
  return [...addresses.filter((address) => !isV6(address)), ...addresses.filter(isV6)];
}

/** c-ares wants brackets around an IPv6 address, and only then a port. */
function withPort(server: string): string {
  const [bare = ""] = server.split("%", 1);
  return bare.includes(":") && !bare.includes("[") && bare.split(":").length > 2 ? `[${bare}]` : bare;
}
