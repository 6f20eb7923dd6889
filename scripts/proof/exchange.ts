import type { Socket } from "node:net";

/** What becomes of the connection after the last byte. */
export type After = "keep" | "close" | "reset";

/** One request at a receiver, to be answered in some way. */
export interface Exchange {
  /** Bytes of an answer that is not whole yet. */
  write(text: string): void;
  /** The last bytes of an answer. `status` is what the whole of it says; null where it is broken. */
  finish(text: string, status: number | null, after?: After): void;
  /** No answer, or no more of one. */
  leave(how: "close" | "reset"): void;
  /** Runs it later, unless the connection has gone by then. */
  later(ms: number, action: () => void): void;
}

/** What a receiver is told of its exchanges. */
export interface ExchangeEvents {
  /** Answered, left, or gone: each exchange once. */
  ended(): void;
  answered(status: number): void;
}

export function createExchange(socket: Socket, events: ExchangeEvents): Exchange {
  let hasEnded = false;
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    events.ended();
  };
  socket.once("close", end);
  return {
    write(text) {
      if (!socket.destroyed) socket.write(text);
    },
    finish(text, status, after = "keep") {
      if (socket.destroyed) return;
      if (status !== null) events.answered(status);
      if (after === "close") socket.end(text);
      else if (after === "reset") socket.write(text, () => socket.resetAndDestroy());
      else socket.write(text);
      socket.off("close", end);
      end();
    },
    leave(how) {
      if (how === "close") socket.destroy();
      else socket.resetAndDestroy();
    },
    later(ms, action) {
      setTimeout(() => {
        if (!socket.destroyed) action();
      }, ms);
    },
  };
}
