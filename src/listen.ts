import { lookup } from "node:dns/promises";
import type { Server } from "node:net";
import { HooklineError } from "./errors.ts";

export interface ListenAddress {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

/** What the settings are called of whoever listens, for messages. */
export interface ListenWords {
  readonly host: string;
  /** What to do, as in `set server.host`. */
  readonly setHost: string;
  readonly port: string;
  readonly setPort: string;
}

/**
 * Listens and resolves with the real port, or throws a HooklineError (`port_in_use`, `port_denied`,
 * `host_unavailable`) that names the setting to change.
 */
export async function listen(server: Server, at: ListenAddress, words: ListenWords): Promise<number> {
  try {
    return await opened(server, at);
  } catch (error) {
    throw await explained(error as Error, at, words);
  }
}

function opened(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : port);
    });
  });
}

async function explained(error: Error, { host, port }: ListenAddress, words: ListenWords): Promise<Error> {
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (!(await resolves(host))) {
    return new HooklineError(
      "host_unavailable",
      `${words.host}: cannot resolve ${host}; ${words.setHost} to an address of this machine`,
      { cause: error },
    );
  }
  switch ((error as { code?: unknown }).code) {
    case "EADDRINUSE":
      return new HooklineError(
        "port_in_use",
        `${words.port}: ${where} is in use by another process; stop it, or ${words.setPort} to a free port`,
        { cause: error },
      );
    case "EACCES":
    case "EPERM":
      return new HooklineError(
        "port_denied",
        `${words.port}: ${where} may not be opened by this user; ports below 1024 need a privilege`,
        { cause: error },
      );
    default:
      return new HooklineError(
        "host_unavailable",
        `${words.host}: cannot listen on ${where} (${error.message}); ${words.setHost} to an address of this machine`,
        { cause: error },
      );
  }
}

/** Asked first: for a name that nobody knows Bun gives whatever error came last, EADDRINUSE too. */
async function resolves(host: string): Promise<boolean> {
  try {
    await lookup(host);
    return true;
  } catch {
    return false;
  }
}
