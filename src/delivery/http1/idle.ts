/** What is kept: open or not, and to be closed. */
export interface Closable {
  readonly isOpen: boolean;
  close(): void;
}

/** Open connections that wait for their next exchange, by the peer that they lead to. */
export interface IdleConnections<C extends Closable> {
  /** One that leads there, the last used first; null when there is none. */
  take(key: string): C | null;
  /**
   * Keeps it for as long as the peer is likely to: `seconds` as the peer said, null when it did not. Where that
   * makes too many, the one that has waited longest is closed.
   */
  keep(key: string, connection: C, seconds: number | null): void;
  close(): void;
}

/** Without a word of the peer's: below the 5 s that the shortest usual servers allow (Node, Apache, uvicorn). */
const defaultIdleMs = 4_000;
/** The peer counts from a moment later than we do, and its clock is coarse. */
const marginMs = 1_000;
const maxIdleMs = 300_000;
const sweepMs = 1_000;

interface Entry<C> {
  readonly connection: C;
  readonly until: number;
}

/**
 * Connections are closed here before the peer closes them: a request that crosses a closing is lost, and
 * nobody knows whether it was seen.
 *
 * @param max Most of them, whomever they lead to: deliveries in turn to thousands of receivers, each of which
 * keeps connections for minutes, would otherwise use up the files that a process may have open.
 */
export function createIdleConnections<C extends Closable>(max: () => number): IdleConnections<C> {
  const stacks = new Map<string, Entry<C>[]>();
  /** All of them, the one that has waited longest first. */
  const all = new Set<Entry<C>>();
  let sweeper: ReturnType<typeof setInterval> | null = null;

  const sweep = (): void => {
    const now = performance.now();
    for (const [key, stack] of stacks) {
      const kept = stack.filter((entry) => {
        if (entry.connection.isOpen && entry.until > now) return true;
        entry.connection.close();
        all.delete(entry);
        return false;
      });
      if (kept.length === 0) stacks.delete(key);
      else stacks.set(key, kept);
    }
    if (stacks.size > 0 || sweeper === null) return;
    clearInterval(sweeper);
    sweeper = null;
  };

  const closeOldest = (): void => {
    for (const entry of all) {
      // It stays in its stack until it is met there: `take` and `sweep` pass over what is closed.
      entry.connection.close();
      all.delete(entry);
      return;
    }
  };

  return {
    take(key) {
      const stack = stacks.get(key);
      if (stack === undefined) return null;
      for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
        const { connection, until } = entry;
        all.delete(entry);
        if (connection.isOpen && until > performance.now()) return connection;
        connection.close();
      }
      return null;
    },

    keep(key, connection, seconds) {
      const said = seconds === null ? defaultIdleMs : Math.min(seconds * 1_000 - marginMs, maxIdleMs);
      if (said <= 0) return connection.close();
      const entry = { connection, until: performance.now() + said };
      const stack = stacks.get(key);
      if (stack === undefined) stacks.set(key, [entry]);
      else stack.push(entry);
      all.add(entry);
      while (all.size > max()) closeOldest();
      sweeper ??= setInterval(sweep, sweepMs);
    },

    close() {
      for (const { connection } of all) connection.close();
      all.clear();
      stacks.clear();
      if (sweeper !== null) clearInterval(sweeper);
      sweeper = null;
    },
  };
}
