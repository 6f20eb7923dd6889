/** What resolv.conf(5) says that name resolution here honours. */
export interface ResolvConf {
  /** Name servers' addresses; empty = the system's default. */
  readonly servers: readonly string[];
  /** Domains that short names are tried in, as Kubernetes sets them. */
  readonly search: readonly string[];
  /** Names with fewer dots are tried in the search domains first. */
  readonly ndots: number;
}

/** Parses a resolv.conf; unknown lines are skipped, the last `search` or `domain` line wins. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0] !== undefined) servers.push(values[0]);
    if (keyword === "search" || keyword === "domain") search = values;
    if (keyword === "options") {
      for (const option of values) {
        const match = /^ndots:(\d+)$/.exec(option);
        if (match !== null) ndots = Math.min(15, Number(match[1]));
      }
    }
  }
  const domains = search.map((domain) => domain.replace(/^\.|\.$/g, "")).filter((domain) => domain !== "");
  return { servers: servers.slice(0, 3), search: domains, ndots };
}

/**
 * The full names that a name stands for, in the order they are tried (resolv.conf(5), ndots).
 * A trailing dot makes a name absolute.
 */
export function candidateNames(name: string, conf: ResolvConf): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const searched = conf.search.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= conf.ndots ? [name, ...searched] : [...searched, name];
}
