import type { Socket } from "node:net";
import { type Cut, cutOff } from "../cut.ts";
import { type AnswerReader, createAnswerReader, type WholeAnswer } from "./answer-reader.ts";

/** Who waits for an answer; one of the two is called, once. */
export interface AnswerWaiter {
  answered(answer: WholeAnswer): void;
  failed(error: Error): void;
}

/** An open connection to one peer, for one exchange at a time. */
export interface Connection {
  /**
   * Sends a request and reads its answer, which the waiter gets.
   *
   * It fails with the socket's error, with code ECONNRESET when the peer closes first, with malformedAnswer,
   * and at once when the attempt is cut off; the connection is gone then. `isSent` is true on an error once the
   * request may have been seen. Nothing is sent when it is cut off or the connection is closed already.
   */
  send(request: string | Uint8Array, cut: Cut, waiter: AnswerWaiter): void;
  /** May be given to the next exchange: the peer has neither closed nor said anything unasked. */
  readonly isOpen: boolean;
  close(): void;
}

/**
 * The connection over a socket that is connected, and secure where it has to be (dial.ts).
 *
 * @param keptBytes How much is kept of an answer's body.
 */
export function createConnection(socket: Socket, keptBytes?: () => number): Connection {
  const reader: AnswerReader = createAnswerReader(keptBytes);
  let isOpen = true;
  let current: AnswerWaiter | null = null;
  let currentCut: Cut | null = null;

  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    socket.destroy();
  };

  /** Ends the exchange under way: its attempt may be cut off later, when the connection serves another one. */
  const takeWaiter = (): AnswerWaiter | null => {
    const waiting = current;
    current = null;
    currentCut?.whenCut(null);
    currentCut = null;
    return waiting;
  };

  const fail = (error: Error): void => {
    const waiting = takeWaiter();
    close();
    waiting?.failed(Object.assign(error, { isSent: true }));
  };
  const cutItOff = (): void => fail(cutOff());

  const finish = (answer: WholeAnswer): void => {
    const waiting = takeWaiter();
    // A request that is not all sent would go on in front of the next one.
    if (!answer.isReusable || socket.writableLength > 0) close();
    waiting?.answered(answer);
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
    if (answer === null) fail(closedError());
    else finish(answer);
  };
  socket.on("end", ended);
  socket.on("close", ended);
  socket.on("error", (error: Error) => {
    if (isOpen) fail(error);
  });

  return {
    send(request, cut, waiter) {
      // Either may have come since the connection was made, before anyone listened.
      if (cut.isCut || !isOpen) {
        close();
        return waiter.failed(cut.isCut ? cutOff() : closedError());
      }
      current = waiter;
      currentCut = cut;
      cut.whenCut(cutItOff);
      socket.write(request, "latin1");
    },
    get isOpen() {
      return isOpen;
    },
    close,
  };
}

function closedError(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" });
}
