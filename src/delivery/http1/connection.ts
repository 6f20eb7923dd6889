import type { Socket } from "node:net";
import { type Cut, cutOff } from "../cut.ts";
import { type AnswerReader, createAnswerReader, type WholeAnswer } from "./answer-reader.ts";

/** An open connection to one peer, for one exchange at a time. */
export interface Connection {
  /**
   * Sends a request and reads its answer.
   *
   * Rejects with the socket's error, with code ECONNRESET when the peer closes first, with malformedAnswer,
   * and at once when the attempt is cut off; the connection is gone then. An error here says that the request may
   * have been seen: `isSent` is true on it.
   */
  exchange(request: string | Uint8Array, cut: Cut): Promise<WholeAnswer>;
  /** May be given to the next exchange: the peer has neither closed nor said anything unasked. */
  readonly isOpen: boolean;
  close(): void;
}

/** @param onClosed Called once, when the connection is closed by whichever side. */
export function createConnection(socket: Socket, onClosed: () => void): Connection {
  const reader: AnswerReader = createAnswerReader();
  let isOpen = true;
  let current: { resolve(answer: WholeAnswer): void; reject(error: Error): void } | null = null;

  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    socket.destroy();
    onClosed();
  };

  const fail = (error: Error): void => {
    const waiting = current;
    current = null;
    close();
    waiting?.reject(Object.assign(error, { isSent: true }));
  };

  const finish = (answer: WholeAnswer): void => {
    const waiting = current;
    current = null;
    // A request that is not all sent would go on in front of the next one.
    if (!answer.isReusable || socket.writableLength > 0) close();
    waiting?.resolve(answer);
  };

  socket.on("data", (part: Uint8Array) => {
    if (!isOpen) return;
    if (current === null) return close();
    let answer: WholeAnswer | null;
    try {
      answer = reader.take(part);
    } catch (error) {
      return fail(error as Error);
    }
    if (answer !== null) finish(answer);
  });
  const ended = (): void => {
    if (!isOpen) return;
    const answer = current === null ? null : reader.end();
    if (answer === null) fail(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
    else finish(answer);
  };
  socket.on("end", ended);
  socket.on("close", ended);
  socket.on("error", (error: Error) => {
    if (isOpen) fail(error);
  });

  return {
    exchange(request, cut) {
      return new Promise((resolve, reject) => {
        const mine = (current = { resolve, reject });
        if (cut.isCut) return fail(cutOff());
        cut.whenCut(() => {
          if (current === mine) fail(cutOff());
        });
        socket.write(request, "latin1");
      });
    },
    get isOpen() {
      return isOpen;
    },
    close,
  };
}
