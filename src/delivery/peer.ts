import type { Egress } from "./egress/rules.ts";
import type { Resolution } from "./dns/resolution.ts";
import type { Resolver } from "./dns/resolver.ts";

/**
 * One host that is connected to: its addresses, looked up and checked against the egress rules, in the
 * order to try.
 *
 * What is checked is what is connected to: the addresses given here are the only ones an exchange gets,
 * and it looks nothing up itself. A name whose answer changes is checked anew with each answer.
 */
export interface Peer {
  /** What is known right now; null when the name has to be asked for. */
  known(): Reach | null;
  /** Asks; never rejects. */
  ask(): Promise<Reach>;
}

/** Vetted addresses, which may be reordered by `prefer` and `avoid`, or why there are none. */
export type Reach =
  | { readonly ok: true; readonly addresses: string[] }
  | { readonly ok: false; readonly kind: "dns" | "blocked"; readonly code: string };

export interface PeerOptions {
  readonly hostname: string;
  readonly isAddress: boolean;
  /** Null = the port is not checked. */
  readonly port: number | null;
  readonly resolver: Resolver;
  readonly egress: Egress;
}

/** A peer; an IP literal is checked once, here, and never looked up. */
export function createPeer({ hostname, isAddress, port, resolver, egress }: PeerOptions): Peer {
  const name = hostname.toLowerCase();
  const vet = (resolution: Resolution): Reach => {
    if (!resolution.ok) return { ok: false, kind: "dns", code: resolution.code };
    const addresses: string[] = [];
    let code = "no address";
    for (const address of resolution.addresses) {
      const rule = egress.check(name, address, port);
      if (rule === null) addresses.push(address);
      else code = rule;
    }
    // A name with one forbidden and one allowed address is reached through the allowed one.
    return addresses.length > 0 ? { ok: true, addresses } : { ok: false, kind: "blocked", code };
  };
  if (isAddress) {
    const fixed = vet({ ok: true, addresses: [name] });
    return { known: () => fixed, ask: () => Promise.resolve(fixed) };
  }
  let seen: Resolution | null = null;
  let reach: Reach | null = null;
  const reachOf = (resolution: Resolution): Reach => {
    if (reach === null || seen !== resolution) {
      seen = resolution;
      reach = vet(resolution);
    }
    return reach;
  };
  return {
    known() {
      const resolution = resolver.known(name);
      return resolution === null ? null : reachOf(resolution);
    },
    ask: async () => reachOf(await resolver.resolve(name)),
  };
}

/** Puts an address that took a connection first. */
export function prefer(addresses: string[], address: string): void {
  const index = addresses.indexOf(address);
  if (index > 0) addresses.unshift(...addresses.splice(index, 1));
}

/** Puts an address that may be dead last. */
export function avoid(addresses: string[], address: string): void {
  const index = addresses.indexOf(address);
  if (index >= 0 && index < addresses.length - 1) addresses.push(...addresses.splice(index, 1));
}
