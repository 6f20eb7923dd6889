import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Buffer } from "node:buffer";

/**
 * How the way to a server is now. It keeps TCP's rules: bytes come in order and none is left out; a connection that has
 * lost some never carries another.
 */
export type PathState =
  | { readonly state: "open" }
  /** New connections are reset, those that stand are cut. */
  | { readonly state: "refuse" }
  /** Bytes of one direction, or of both, go nowhere. */
  | { readonly state: "swallow"; readonly requests: boolean; readonly replies: boolean }
  | { readonly state: "slow"; readonly delayMs: number }
  /** Seven bytes at a time. */
  | { readonly state: "pieces" }
  /** The next reply is passed up to its half, then its connection is cut; again and again. */
  | { readonly state: "half replies"; readonly share: number };

/** A way over TCP from one process to one server, which can be made worse. */
export interface TcpPath {
  readonly port: number;
  set(state: PathState): void;
  /** Cuts every connection now. */
  cut(): void;
  /** Connections open now. */
  readonly open: number;
  close(): Promise<void>;
}

/** Bytes of a reply between two cuts inside one. */
const halfEveryBytes = 4_096;

/** Starts one on a free port of 127.0.0.1. */
export async function openTcpPath(target: number): Promise<TcpPath> {
  const pairs = new Set<{ cut: () => void; hasLost: boolean }>();
  let state: PathState = { state: "open" };
  let sinceHalf = 0;

  const server = createServer((client) => {
    if (state.state === "refuse") {
      client.on("error", () => client.destroy());
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target, "127.0.0.1");
    const pair = {
      hasLost: false,
      cut: (): void => {
        pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      },
    };
    pairs.add(pair);
    const pass = (from: Socket, to: Socket, isReply: boolean): void => {
      // One after the other, however long each takes.
      let last = Promise.resolve();
      let isDeaf = false;
      const handle = async (chunk: Buffer): Promise<void> => {
        const now = state;
        if (isDeaf) return;
        if (now.state === "swallow" && (isReply ? now.replies : now.requests)) {
          isDeaf = true;
          pair.hasLost = true;
          return;
        }
        if (now.state === "slow") await later(now.delayMs);
        if (now.state === "half replies" && isReply) {
          sinceHalf += chunk.length;
          if (sinceHalf >= halfEveryBytes) {
            sinceHalf = 0;
            to.write(chunk.subarray(0, Math.floor(chunk.length * now.share)), pair.cut);
            isDeaf = true;
            return;
          }
        }
        if (now.state !== "pieces") return void to.write(chunk);
        for (let at = 0; at < chunk.length; at += 7) {
          to.write(chunk.subarray(at, at + 7));
          // Each piece is a segment of its own; a long chunk is not made to take minutes.
          if (at < 700) await later(0);
        }
      };
      from.on("data", (chunk: Buffer) => {
        last = last.then(() => handle(chunk));
      });
    };
    pass(client, upstream, false);
    pass(upstream, client, true);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", pair.cut);
      socket.on("close", pair.cut);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const pair of pairs) pair.cut();
  };
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      state = next;
      for (const pair of pairs) if (next.state === "refuse" || pair.hasLost) pair.cut();
    },
    cut,
    get open() {
      return pairs.size;
    },
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
