import type { Connection } from "./connection.ts";

/** Open connections that wait for their next exchange, by the peer that they lead to. */
export interface IdleConnections {
  /** One that leads there, the last used first; null when there is none. */
  take(key: string): Connection | null;
  /** Keeps it for as long as the peer is likely to: `seconds` as the peer said, null when it did not. */
  keep(key: string, connection: Connection, seconds: number | null): void;
  close(): void;
}

/** Without a word of the peer's: below the 5 s that the shortest usual servers allow (Node, Apache, uvicorn). */
const defaultIdleMs = 4_000;
/** The peer counts from a moment later than we do, and its clock is coarse. */
const marginMs = 1_000;
const maxIdleMs = 300_000;
const sweepMs = 1_000;

/**
 * Connections are closed here before the peer closes them: a request that crosses a closing is lost, and
 * nobody knows whether it was seen. There are never more of them than exchanges were in flight at once.
 */
export function createIdleConnections(): IdleConnections {
  const stacks = new Map<string, { connection: Connection; until: number }[]>();
  let sweeper: ReturnType<typeof setInterval> | null = null;

  const sweep = (): void => {
    const now = performance.now();
    for (const [key, stack] of stacks) {
      const kept = stack.filter(({ connection, until }) => {
        if (connection.isOpen && until > now) return true;
        connection.close();
        return false;
      });
      if (kept.length === 0) stacks.delete(key);
      else stacks.set(key, kept);
    }
    if (stacks.size > 0 || sweeper === null) return;
    clearInterval(sweeper);
    sweeper = null;
  };

  return {
    take(key) {
      const stack = stacks.get(key);
      if (stack === undefined) return null;
      for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
        const { connection, until } = entry;
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
      sweeper ??= setInterval(sweep, sweepMs);
    },

    close() {
      for (const stack of stacks.values()) for (const { connection } of stack) connection.close();
      stacks.clear();
      if (sweeper !== null) clearInterval(sweeper);
      sweeper = null;
    },
  };
}
