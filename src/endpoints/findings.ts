import { describeOutcome } from "../delivery/outcome.ts";
import type { Finding } from "../problems/finding.ts";
import type { EndpointGate } from "./state.ts";

/** What an endpoint is at, in one word: what an operator or its answers made of it, else its breaker. */
export type EndpointState = "closed" | "half_open" | "open" | "paused" | "disabled";

/** Every state, for metrics. */
export const endpointStates: readonly EndpointState[] = ["closed", "half_open", "open", "paused", "disabled"];

/** The endpoint's state now. */
export function endpointState({ mode, breaker }: EndpointGate): EndpointState {
  return mode === "enabled" ? breaker : mode;
}

/** What of an endpoint needs somebody. Whoever changes its mode, and its gates, log it (registry.ts). */
export function endpointFindings(gate: EndpointGate): Finding[] {
  const { endpoint, mode, modeSince, trip } = gate;
  const object = endpoint.label;
  const findings: Finding[] = [];
  if (mode === "paused") {
    findings.push({ kind: "endpoint_paused", object, since: modeSince, detail: "paused: its jobs wait" });
  }
  if (mode === "disabled") {
    const detail = "disabled: its jobs become dead letters, endpoint_disabled";
    findings.push({ kind: "endpoint_disabled", object, since: modeSince, detail });
  }
  if (trip !== null) {
    const { openUntil } = gate;
    const next =
      openUntil === null
        ? "one attempt at a time is let through"
        : `the next attempt follows at ${new Date(openUntil).toISOString()}`;
    const detail = `${trip.failures} of ${trip.attempts} attempts failed, the last with: ${describeOutcome(trip.last)}; ${next}`;
    findings.push({ kind: "breaker_open", object, since: trip.since, detail });
  }
  return findings;
}
