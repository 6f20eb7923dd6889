import { span } from "./format.ts";
import { serverNow } from "./fetching.ts";
import type { Tone } from "./parts.ts";
import type { DeliveryState, Endpoint } from "./types.ts";

/** How an endpoint stands, in a few words. */
export function endpointState(endpoint: Endpoint): { readonly tone: Tone; readonly text: string } {
  const { mode, breaker, open_until: until, held_ms: held } = endpoint;
  if (mode === "disabled") return { tone: "bad", text: "disabled" };
  if (mode === "paused") return { tone: "held", text: "paused" };
  if (breaker === "open") {
    const left = until === null ? 0 : Date.parse(until) - serverNow();
    return { tone: "warn", text: left > 0 ? `breaker open, ${span(left)} yet` : "breaker open" };
  }
  if (breaker === "half_open") return { tone: "warn", text: "breaker half open" };
  if (held > 0) return { tone: "held", text: `held for ${span(held)}` };
  return { tone: "good", text: "delivering" };
}

const states: Readonly<Record<DeliveryState, { readonly tone: Tone; readonly text: string }>> = {
  delivered: { tone: "good", text: "delivered" },
  retrying: { tone: "warn", text: "to be tried again" },
  dead: { tone: "bad", text: "dead" },
  released: { tone: "held", text: "cut off" },
  cancelled: { tone: "held", text: "cancelled" },
};

/** How a delivery stands. */
export function deliveryState(state: DeliveryState): { readonly tone: Tone; readonly text: string } {
  return states[state] ?? { tone: "plain", text: state };
}

/** `endpoint_disabled` as words. */
export const inWords = (code: string): string => code.replaceAll("_", " ");

const jobStates: Readonly<Record<string, { readonly tone: Tone; readonly text: string }>> = {
  ready: { tone: "plain", text: "ready" },
  delayed: { tone: "warn", text: "waits for its time" },
  leased: { tone: "good", text: "being delivered" },
  parked: { tone: "held", text: "put aside" },
  dead: { tone: "bad", text: "dead" },
  delivered: { tone: "good", text: "delivered" },
  cancelled: { tone: "held", text: "cancelled" },
};

/** How a job stands. */
export function jobState(state: string): { readonly tone: Tone; readonly text: string } {
  return jobStates[state] ?? { tone: "plain", text: state };
}
