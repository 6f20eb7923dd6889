import { createHmac } from "node:crypto";
import type { ReceivedRequest } from "../support/receiver.ts";
import { secret } from "../support/secrets.ts";

/** An app of our own, with secrets that the search at the end of the run would find. */
export const app = { id: "shop", key: secret("key"), secret: secret("app") } as const;

/** A configuration on the memory driver with one app; `webhooks` are its endpoints. */
export function configFor(webhooks: readonly object[], overrides: object = {}): object {
  return {
    queue: { driver: "memory", memory: { concurrency: 32 } },
    webhooks: { retry: { initial_backoff_ms: 20, max_backoff_ms: 200 } },
    apps: [
      { ...app, webhooks: webhooks.map((webhook) => ({ event_types: ["channel_occupied"], ...webhook })) },
    ],
    ...overrides,
  };
}

/** A job whose id says which one it is. */
export function jobNumber(n: number, prefix = "job"): object {
  const events = [{ name: "channel_occupied", channel: `room-${n}` }];
  return { id: `${prefix}-${n}`, app_id: app.id, payload: { time_ms: 1_700_000_000_000 + n, events } };
}

/** `count` jobs from `first` on. */
export function jobsFrom(first: number, count: number, prefix = "job"): object[] {
  return Array.from({ length: count }, (_, index) => jobNumber(first + index, prefix));
}

/** The number of the job that a request delivers. */
export function jobNumberOf(request: ReceivedRequest): number {
  return Number(/"channel":"room-(\d+)"/.exec(request.text)?.[1]);
}

/** Whether the signature is that of the exact body with the app's secret. */
export function isSigned(request: ReceivedRequest, key: string = app.secret): boolean {
  const expected = createHmac("sha256", key).update(request.body).digest("hex");
  return request.headers["x-pusher-signature"] === expected;
}
