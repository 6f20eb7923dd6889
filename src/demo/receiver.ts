import type { Buffer } from "node:buffer";
import { startReceiver, type Receiver } from "../receiver/server.ts";
import { checkPusher } from "../receiver/verdict.ts";

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
export function startDemoReceiver(options: DemoReceiverOptions): Promise<Receiver> {
  const attempts = new Map<string, number>();
  return startReceiver({
    host: "127.0.0.1",
    port: options.port ?? 0,
    words: { host: "the receiver", setHost: "set it", port: "the receiver's port", setPort: "set it" },
    onFault(error) {
      throw error;
    },
    answer({ headers, body }) {
      if (body === null) return { status: 413 };
      const webhookId = headers.get("webhook-id")?.[0] ?? "";
      const attempt = (attempts.get(webhookId) ?? 0) + 1;
      attempts.set(webhookId, attempt);
      const isVerified = checkPusher({ headers, body, key: options.key, secret: options.secret }).ok;
      const events = readEvents(body);
      if (events === null) return { status: 400 };
      const status = !isVerified ? 401 : options.fails(events, attempt) ? 503 : 200;
      options.onDelivery({ webhookId, attempt, isVerified, status, events });
      return { status };
    },
  });
}

/** The events of a body, or null: anybody on this machine may post anything to the receiver's port. */
function readEvents(body: Buffer): DemoDelivery["events"] | null {
  try {
    const { events } = JSON.parse(body.toString("utf8")) as { events?: unknown };
    return Array.isArray(events) ? events : null;
  } catch {
    return null;
  }
}
