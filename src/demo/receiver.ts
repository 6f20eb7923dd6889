import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** One request at the demo's receiver. */
export interface DemoDelivery {
  /** The header `webhook-id`: the same for every attempt of one delivery. */
  readonly webhookId: string;
  /** How often this delivery has come, this time included. */
  readonly attempt: number;
  /** Whether key and signature are those of the app, over the exact bytes that came. */
  readonly isVerified: boolean;
  readonly status: number;
  readonly events: readonly { readonly name: string; readonly channel: string }[];
}

export interface DemoReceiver {
  readonly url: string;
  close(): Promise<void>;
}

export interface DemoReceiverOptions {
  readonly key: string;
  readonly secret: string;
  /** Whether this attempt is to fail, as receivers do. */
  readonly fails: (events: DemoDelivery["events"], attempt: number) => boolean;
  readonly onDelivery: (delivery: DemoDelivery) => void;
  /** Where it listens; any free port when not given. */
  readonly port?: number;
}

/**
 * What a user's own webhook receiver has to be: it checks the signature over the raw body, answers 2xx
 * when it has the events and anything else when it has not.
 */
export async function startDemoReceiver(options: DemoReceiverOptions): Promise<DemoReceiver> {
  const attempts = new Map<string, number>();

  const receive = (request: IncomingMessage, body: Buffer): number => {
    const webhookId = String(request.headers["webhook-id"]);
    const attempt = (attempts.get(webhookId) ?? 0) + 1;
    attempts.set(webhookId, attempt);
    const isVerified =
      request.headers["x-pusher-key"] === options.key &&
      isSignature(request.headers["x-pusher-signature"], body, options.secret);
    const { events } = JSON.parse(body.toString("utf8")) as { events: DemoDelivery["events"] };
    const status = !isVerified ? 401 : options.fails(events, attempt) ? 503 : 200;
    options.onDelivery({ webhookId, attempt, isVerified, status, events });
    return status;
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.writeHead(receive(request, Buffer.concat(chunks)));
      response.end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Constant-time: a comparison that stops at the first wrong character tells how many were right. */
function isSignature(given: string | string[] | undefined, body: Buffer, secret: string): boolean {
  const expected = createHmac("sha256", secret).update(body).digest();
  const bytes = Buffer.from(typeof given === "string" ? given : "", "hex");
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}
