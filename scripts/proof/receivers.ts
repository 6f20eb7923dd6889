import { createHmac } from "node:crypto";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { parseRequest } from "../../test/support/receiver-parse.ts";
import { app, giveUp } from "./app.ts";
import { deliveryKey } from "./book.ts";
import type { Book } from "./book.ts";
import { createExchange } from "./exchange.ts";
import { createGauge } from "./gauge.ts";
import type { Gauge } from "./gauge.ts";
import { doom, well } from "./moods.ts";
import type { Mood } from "./moods.ts";
import { now } from "./weather.ts";

/** The mark of a job whose deliveries every receiver answers with 503. */
export const doomed = "doomed";

/** One endpoint: a real HTTP/1.1 server on bare sockets that keeps a book of what it accepted. */
export interface ProofReceiver {
  readonly url: string;
  /** How it treats the next exchanges. */
  mood: Mood;
  readonly inFlight: Gauge;
  close(): Promise<void>;
}

/** What a channel of the proof says: `n-NUMBER`, or `doomed-NUMBER`. */
const channel = /"channel":"(n|doomed)-(\d+)"/;

/**
 * Starts one on a free port.
 *
 * @param number  Which one it is in the book.
 * @param limit   Most attempts in flight, over all processes.
 * @param total   The attempts in flight at all receivers.
 */
export async function startProofReceiver(
  book: Book,
  options: { readonly number: number; readonly limit: number; readonly total: Gauge },
): Promise<ProofReceiver> {
  const { number, limit, total } = options;
  const sockets = new Set<Socket>();
  const inFlight = createGauge(limit);
  const receiver = { mood: well };

  const begin = (socket: Socket, n: number | null, webhookId: string): ReturnType<typeof createExchange> => {
    inFlight.up();
    total.up();
    return createExchange(socket, {
      ended() {
        inFlight.down();
        total.down();
      },
      answered(status) {
        if (n === null) return;
        if (status >= 200 && status <= 299) book.noteAccepted(n, number, { at: now(), webhookId });
        else if (status < 500 && ![408, 425, 429].includes(status)) book.noteRefused(n, number);
      },
    });
  };

  const server = createServer((socket) => {
    let pending: Buffer = Buffer.alloc(0);
    let hasActed = false;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const leavesAt = (point: Mood["leavesAt"]): boolean => {
      if (receiver.mood.leavesAt !== point || hasActed) return false;
      hasActed = true;
      receiver.mood.act(begin(socket, null, ""));
      return true;
    };
    if (leavesAt("connection")) return;
    socket.on("data", (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      if (hasActed || leavesAt("first bytes")) return;
      if (pending.includes("\r\n\r\n") && leavesAt("head")) return;
      for (let parsed = parseRequest(pending); parsed !== null; parsed = parseRequest(pending)) {
        pending = pending.subarray(parsed.consumed);
        const [, mark, digits] = channel.exec(parsed.request.body.toString("latin1")) ?? [];
        const n = digits === undefined ? null : Number(digits);
        if (n !== null) book.noteAttempt(n, number, now());
        const signature = createHmac("sha256", app.secret).update(parsed.request.body).digest("hex");
        if (parsed.request.headers["x-pusher-signature"] !== signature) book.noteForged();
        const exchange = begin(socket, n, String(parsed.request.headers["webhook-id"]));
        if (
          mark === doomed &&
          n !== null &&
          (book.attempts.get(deliveryKey(n, number)) ?? 0) >= giveUp.attempts
        ) {
          book.noteRefused(n, number);
        }
        (mark === doomed ? doom : receiver.mood).act(exchange);
        if (pending.length === 0) return;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(receiver, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    inFlight,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
