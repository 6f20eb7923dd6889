/**
 * What a job is, independent of the backend that holds it and of the form it was sent in.
 */

/**
 * A job's bytes as they stood on the queue: text where they are valid UTF-8, else the bytes themselves.
 *
 * Text is kept as text because it is parsed, sliced, signed and sent as text; a slice of it is the same
 * bytes. Bytes that are not UTF-8 can only belong to a raw queue or be malformed.
 */
export type JobBody = string | Uint8Array;

/** Ids that hookline takes as they are (contract §3); others are replaced by 32 hex of their SHA-256. */
export const jobIdPattern = /^[A-Za-z0-9_-]{1,128}$/;

/** What routing needs to know of an event; the rest stays text. */
export interface JobEvent {
  readonly name: string;
  /** Null when the event has none. */
  readonly channel: string | null;
}

/**
 * Which of a payload's events a delivery consists of: all of them, or those at these places, ascending.
 */
export type BoundEvents = "all" | readonly number[];

/** A Pusher-style job: one payload `{time_ms, events}` for the webhooks of one app. */
export interface PusherJob {
  readonly kind: "pusher";
  /** The form it arrived in. */
  readonly source: "sockudo" | "soketi" | "native";
  /** The id the message itself carries, already made safe; null when it carries none. */
  readonly id: string | null;
  readonly appId: string | null;
  readonly appKey: string | null;
  /** The payload's JSON text, byte for byte as it stands in the message. */
  readonly payload: string;
  /** The payload's events, in order. */
  readonly events: readonly JobEvent[];
  /** Soketi's `originalPusherSignature`, to be checked against the app's secrets; null elsewhere. */
  readonly signature: string | null;
  /**
   * The one endpoint (its name in the app) this job is bound to; null before routing.
   * A delivery that is retried, and a child of a fan-out, are bound.
   */
  readonly endpoint: string | null;
  /**
   * The events that a bound job was bound with; null before, and in envelopes of version 0.1, which did not
   * say. The payload stays whole, because Soketi's signature covers all of it.
   */
  readonly boundEvents: BoundEvents | null;
  /** The delivery's id (`webhook-id`) of a job that is bound to its endpoint; null before. */
  readonly deliveryId: string | null;
  /** The id of the delivery in the history that this job sends again; absent in others. */
  readonly resendOf?: string;
}

/** A generic job (issue "Endpoints that do not harm each other", part 5): `{type, data}` for named endpoints or an app's subscribers. */
export interface GenericJob {
  readonly kind: "generic";
  readonly source: "native";
  readonly id: string | null;
  readonly type: string;
  /** ISO 8601, given at enqueue. */
  readonly timestamp: string;
  /** The data's JSON text, byte for byte. */
  readonly data: string;
  /** The app whose subscribers get it; null when it is for a named endpoint. */
  readonly appId: string | null;
  /** The named endpoint, or with an app the endpoint of it that the job is bound to. */
  readonly endpoint: string | null;
  /** The delivery's id (`webhook-id`) of a job that is bound to its endpoint; null before. */
  readonly deliveryId: string | null;
  /** The id of the delivery in the history that this job sends again; absent in others. */
  readonly resendOf?: string;
}

/** A raw job: a body that is POSTed verbatim to one endpoint. */
export interface RawJob {
  readonly kind: "raw";
  readonly source: "native" | "raw";
  readonly id: string | null;
  readonly content: JobBody;
  readonly endpoint: string | null;
  /** The delivery's id (`webhook-id`) of a job that is bound to its endpoint; null before. */
  readonly deliveryId: string | null;
  /** The id of the delivery in the history that this job sends again; absent in others. */
  readonly resendOf?: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export type DecodedJob = (PusherJob | GenericJob | RawJob) & {
  /**
   * It was sent to another endpoint than its own, by hand: `endpoint` is that one's name in the app, or `-/` and the name of
   * a named one, and no filter of it is asked. Absent in others.
   */
  readonly redirected?: true;
  /** The revision of the stored apps that whoever took the job in had; whoever routes it must have it too. */
  readonly apiRevision?: number;
  /** The trace it belongs to (jobs/traceparent.ts); absent in most. */
  readonly traceparent?: string | undefined;
};

/** A body that is no job in any known form; `detail` says why, without quoting the body. */
export interface MalformedJob {
  readonly kind: "malformed";
  readonly detail: string;
}
