import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";

/** Addresses that the machine's hosts file gives to a name. */
export interface HostsFile {
  /** By lower-case name; undefined when the file does not name it. */
  addresses(name: string): readonly string[] | undefined;
}

/**
 * Reads a hosts file, again whenever it has changed; a missing or unreadable one is empty.
 *
 * Synchronous on purpose: asynchronous file reads share two threads with the system's name lookups and
 * wait behind a name server that hangs. The file is looked at no more than once in 5 s.
 */
export function createHostsFile(path: string, monotonic: () => number): HostsFile {
  const read = createRereader(path, monotonic, parseHosts, new Map());
  return { addresses: (name) => read().get(name) };
}

/** A parsed file, parsed again when its size or modification time changed; looked at once in 5 s. */
export function createRereader<T>(
  path: string,
  monotonic: () => number,
  parse: (text: string) => T,
  missing: T,
): () => T {
  let value = missing;
  let seen = "";
  let lookAgainAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = monotonic();
    if (now < lookAgainAt) return value;
    lookAgainAt = now + 5000;
    try {
      const { mtimeMs, size } = statSync(path);
      const stamp = `${mtimeMs}/${size}`;
      if (stamp !== seen) {
        value = parse(readFileSync(path, "utf8"));
        seen = stamp;
      }
    } catch {
      value = missing;
      seen = "";
    }
    return value;
  };
}

function parseHosts(text: string): Map<string, string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      const known = hosts.get(key);
      if (known === undefined) hosts.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return hosts;
}
