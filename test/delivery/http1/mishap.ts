import type { Socket } from "node:net";

/** One thing that goes wrong at a peer, and what it comes to. */
export interface Mishap {
  readonly what: string;
  /** What the peer does when a connection is opened, and at each part that arrives. */
  readonly onOpen?: (socket: Socket) => void;
  readonly onData?: (socket: Socket, soFar: string, n: number) => void;
  /** The peer speaks TLS. */
  readonly secure?: boolean;
  /** The URL is https. Without `secure` the handshake gets no answer but what `onData` says. */
  readonly https?: boolean;
  /** The peer is the proxy. */
  readonly proxied?: boolean;
  readonly bodyBytes?: number;
  /** Attempts one after the other; default 1. */
  readonly attempts?: number;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** Abort when this has arrived at the peer. */
  readonly abortAt?: string;
  /** Each attempt's outcome: kind, and status or, where it is ours, code; several with `|` where it is a race. */
  readonly outcomes: readonly string[];
  readonly connections: number;
}

/** Says this to the first part that arrives on a connection, then does what `then` says. */
export const once =
  (bytes: string, then: (socket: Socket) => void = () => undefined) =>
  (socket: Socket, soFar: string): void => {
    if (said.has(socket) || soFar === "") return;
    said.add(socket);
    socket.write(bytes, () => then(socket));
  };
const said = new WeakSet<Socket>();

export const end = (socket: Socket): void => void socket.end();
export const reset = (socket: Socket): void => void socket.resetAndDestroy();
