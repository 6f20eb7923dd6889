import { isIP } from "node:net";

/** A host as names are resolved, rules compared and connections shared by it. */
export interface Host {
  /** Lower case, without brackets; an absolute name ends in one dot. */
  readonly hostname: string;
  /** Whether `hostname` is an IP literal and needs no resolution. */
  readonly isAddress: boolean;
}

/**
 * The host of an http(s) URL, which the parser has written in lower case, in ASCII and without percent signs.
 *
 * It leaves dots at the end: any number of them resolves like one, so they are one here; an address has none.
 */
export function hostOf({ hostname: written }: Pick<URL, "hostname">): Host {
  const name = written.toLowerCase().replace(/^\[|\]$/g, "");
  const relative = withoutEndDots(name);
  if (isIP(relative) !== 0) return { hostname: relative, isAddress: true };
  return { hostname: relative === name ? name : `${relative}.`, isAddress: false };
}

/** The name as it stands in rules, certificates and hosts files: a dot that makes it absolute is no part of it. */
export function withoutEndDots(hostname: string): string {
  let end = hostname.length;
  while (end > 0 && hostname.charCodeAt(end - 1) === 0x2e) end -= 1;
  return hostname.slice(0, end);
}

/** Whether a name has a part without letters, as `a..b`: there is no such name, whatever a name server says. */
export function hasEmptyPart(hostname: string): boolean {
  const name = withoutEndDots(hostname);
  return name === "" || name.startsWith(".") || name.includes("..");
}
