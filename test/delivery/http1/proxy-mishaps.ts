import type { Socket } from "node:net";
import { end, type Mishap, once, reset } from "./mishap.ts";

const granted = "HTTP/1.1 200 Established\r\n\r\n";
const refused = "connect ERR_PROXY_TUNNEL";

/** Grants a CONNECT, then does this at the next part. */
const grantThen =
  (next: (socket: Socket) => void) =>
  (socket: Socket, soFar: string): void => {
    if (soFar.includes("\r\n\r\n\x16")) next(socket);
    else once(granted)(socket, soFar);
  };

const mishaps: readonly Omit<Mishap, "https" | "proxied">[] = [
  {
    what: "an abort in CONNECT",
    abortAt: "\r\n\r\n",
    outcomes: ["aborted"],
    connections: 1,
  },
  {
    what: "the deadline in CONNECT",
    timeoutMs: 100,
    outcomes: ["timeout"],
    connections: 1,
  },
  {
    what: "an abort in the handshake through a tunnel",
    onData: once(granted),
    abortAt: "\r\n\r\n\x16\x03",
    outcomes: ["aborted"],
    connections: 1,
  },
  {
    what: "the deadline in the handshake through a tunnel",
    onData: once(granted),
    timeoutMs: 100,
    outcomes: ["timeout"],
    connections: 1,
  },
  {
    what: "a proxy that speaks another protocol",
    onData: once("SSH-2.0-x\r\n"),
    outcomes: [refused],
    connections: 1,
  },
  {
    what: "a proxy that answers garbage",
    onData: once("HTTP/1.1 2000 x\r\n\r\n"),
    outcomes: [refused],
    connections: 1,
  },
  {
    what: "a proxy with endless headers",
    onData: once(`HTTP/1.1 200 x\r\nx: ${"y".repeat(300_000)}`),
    outcomes: [refused],
    connections: 1,
  },
  {
    what: "a proxy that refuses",
    onData: once("HTTP/1.1 503 x\r\ncontent-length: 9\r\n\r\n"),
    outcomes: ["connect ERR_PROXY_TUNNEL_503"],
    connections: 1,
  },
  {
    what: "a proxy that redirects",
    onData: once("HTTP/1.1 302 x\r\nlocation: http://x/\r\n\r\n"),
    outcomes: ["connect ERR_PROXY_TUNNEL_302"],
    connections: 1,
  },
  {
    what: "a proxy that upgrades",
    onData: once("HTTP/1.1 101 x\r\n\r\n"),
    outcomes: ["connect ERR_PROXY_TUNNEL_101"],
    connections: 1,
  },
  {
    what: "a proxy that closes",
    onData: end,
    attempts: 2,
    outcomes: [refused, refused],
    connections: 2,
  },
  {
    what: "a proxy that closes in its head",
    onData: once("HTTP/1.1 200 x\r\n", end),
    outcomes: [refused],
    connections: 1,
  },
  {
    what: "a proxy that resets",
    onData: reset,
    attempts: 2,
    outcomes: [refused, refused],
    connections: 2,
  },
  {
    what: "a proxy that speaks behind its 200",
    onData: once(`${granted}hello`),
    outcomes: [refused],
    connections: 1,
  },
  {
    what: "a proxy that resets the tunnel at once",
    onData: once(granted, reset),
    attempts: 3,
    outcomes: ["connect ECONNRESET", "connect ECONNRESET", "connect ECONNRESET"],
    connections: 3,
  },
  {
    what: "a proxy that closes the tunnel at once",
    onData: once(granted, end),
    attempts: 3,
    outcomes: ["connect ECONNRESET", "connect ECONNRESET", "connect ECONNRESET"],
    connections: 3,
  },
  {
    what: "a proxy that resets the tunnel in the handshake",
    onData: grantThen(reset),
    outcomes: ["connect ECONNRESET"],
    connections: 1,
  },
  {
    what: "garbage in the handshake through a tunnel",
    onData: grantThen((socket) => void socket.write("hello world")),
    outcomes: ["tls"],
    connections: 1,
  },
];

/** What proxies do wrong when they are asked for a tunnel, and aborts on the way through one. */
export const proxyMishaps: readonly Mishap[] = mishaps.map((mishap) => ({
  ...mishap,
  https: true,
  proxied: true,
}));
