import type { AttemptedDelivery } from "../../src/history/entry.ts";
import type { JobBody } from "../../src/jobs/job.ts";

/** A delivery of a generic job. */
export function deliveryOf(id: string, attempt = 1, data = '{"n":1}'): AttemptedDelivery {
  return {
    endpoint: { name: "orders", label: "shop/orders" },
    id: `${id}_aa`,
    jobId: id,
    attempt,
    held: { lease: { queue: "webhooks" } },
    app: { id: "shop" },
    job: {
      kind: "generic",
      source: "native",
      id,
      type: "order.paid",
      timestamp: "2026-11-30T00:00:00Z",
      data,
      appId: "shop",
      endpoint: null,
      deliveryId: null,
    },
    boundEvents: null,
    content: `{"data":${data}}`,
    trace: { headers: [["webhook-id", id]], answer: "taken" },
  };
}

/** A delivery of two of a payload's three events. */
export function pusherDeliveryOf(id: string): AttemptedDelivery {
  const names = ["channel_occupied", "channel_vacated", "channel_occupied"];
  const events = names.map((name, at) => ({ name, channel: `room-${at}` }));
  const texts = events.map((event) => JSON.stringify(event));
  return {
    ...deliveryOf(id),
    job: {
      kind: "pusher",
      source: "native",
      id,
      appId: "shop",
      appKey: "key",
      payload: `{"time_ms":1,"events":[${texts.join(",")}]}`,
      events,
      signature: null,
      endpoint: null,
      boundEvents: null,
      deliveryId: null,
    },
    boundEvents: [0, 2],
    content: `{"time_ms":1,"events":[${texts[0]},${texts[2]}]}`,
  };
}

/** A delivery of a raw job with this content. */
export function rawDeliveryOf(id: string, content: JobBody): AttemptedDelivery {
  return {
    ...deliveryOf(id),
    job: { kind: "raw", source: "raw", id, content, endpoint: null, deliveryId: null, attributes: {} },
    content,
    trace: { headers: [], answer: null },
  };
}
