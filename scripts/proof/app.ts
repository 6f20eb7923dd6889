import { secret } from "../../test/support/secrets.ts";

/** The app of the proof; its secrets are found if they stand in any output. */
export const app = { id: "shop", key: secret("key"), secret: secret("app") } as const;

export const receiverCount = 8;
/** Slots of a queue in each process; an endpoint with nothing in flight may start one beyond them (contract §2). */
export const concurrency = 12;
/** This one takes so many attempts at once from each process. */
export const narrow = { receiver: 6, concurrency: 2 } as const;
/** This one takes so many attempts a second from each process. */
export const paced = { receiver: 5, perSecond: 25 } as const;
/** Deliveries to this one that are made to fail end after so many attempts. */
export const giveUp = { receiver: 7, attempts: 4 } as const;
export const leaseMs = 3_000;
export const requestTimeoutMs = 1_000;

/** The event that one receiver, and no other, wants. */
export function eventFor(receiver: number): string {
  return `to_${receiver}`;
}

/** A configuration in which faults of seconds are lived through in seconds. `queue` names the driver. */
export function configFor(receivers: readonly { readonly url: string }[], queue: object): object {
  return {
    queue: {
      queues: ["webhooks"],
      reliability: { lease_duration_ms: leaseMs, shutdown_timeout_ms: 2_000 },
      ...queue,
    },
    webhooks: {
      request_timeout_ms: requestTimeoutMs,
      retry: { max_attempts: 500, initial_backoff_ms: 30, max_backoff_ms: 400 },
    },
    apps: [{ ...app, webhooks: receivers.map((receiver, number) => webhookOf(receiver, number)) }],
  };
}

function webhookOf({ url }: { readonly url: string }, number: number): object {
  return {
    name: `receiver-${number}`,
    url,
    event_types: [eventFor(number)],
    breaker: { open_ms: 200, window_ms: 2_000 },
    ...(number === narrow.receiver ? { concurrency: narrow.concurrency } : {}),
    ...(number === paced.receiver ? { rate_limit: { per_second: paced.perSecond } } : {}),
    ...(number === giveUp.receiver ? { retry: { max_attempts: giveUp.attempts } } : {}),
  };
}

/** As an operator changes what may be changed while it runs. */
export function changedConfig(config: object, variant: number): object {
  const { webhooks, ...rest } = config as { webhooks: { retry: object } };
  const retry = { ...webhooks.retry, initial_backoff_ms: 30 + variant };
  return { ...rest, webhooks: { ...webhooks, retry } };
}
