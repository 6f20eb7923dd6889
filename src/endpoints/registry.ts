import type { Clock } from "../clock.ts";
import type { Directory, Endpoint } from "../delivery/endpoint.ts";
import { describeOutcome } from "../delivery/outcome.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";
import type { SharedState } from "../queue/driver.ts";
import { endpointFindings } from "./findings.ts";
import { createEndpointGate, type EndpointGate, type EndpointMode, type EndpointTrip } from "./state.ts";
import { createSharedModes, type SharedModes } from "./modes.ts";

/** The gates of all endpoints in this process: what the lanes ask and the admin API shows. */
export interface EndpointGates {
  of(endpoint: Endpoint): EndpointGate;
  /** Every endpoint of the configuration, in its order. */
  all(): readonly EndpointGate[];
  /** What a change of mode reaches: all processes on this backend (within 2 s), or this one. */
  readonly scope: "cluster" | "process";
  /** Takes over the modes that the backend keeps; to be called when it is open, before anything is leased. */
  load(): Promise<void>;
  /**
   * Pauses, disables or enables an endpoint within `scope`; enabling also closes its breaker here.
   *
   * Throws DriverUnavailableError when the backend keeps the modes and does not answer: nothing changed here.
   */
  setMode(endpoint: Endpoint, mode: EndpointMode): Promise<void>;
  /** Endpoints that are paused or disabled, or whose breaker is not closed. */
  problems(): Finding[];
  close(): void;
}

export interface EndpointGatesOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where modes are shared with other processes; absent where the backend cannot. */
  readonly shared?: SharedState | undefined;
  /** Who sees what is kept there; "cluster" when not given. */
  readonly scope?: "cluster" | "process";
}

/** The label that an endpoint had in 0.1; null when it had this one. */
function formerLabelOf({ label, name, formerName }: Endpoint): string | null {
  return formerName === null ? null : label.slice(0, -name.length) + formerName;
}

export function createEndpointGates({
  directory,
  clock,
  log,
  shared,
  scope = "cluster",
}: EndpointGatesOptions): EndpointGates {
  const onGone = ({ label }: Endpoint): void => {
    log.warn("the endpoint answers 410 again and again and is disabled; its jobs go to the dead letters", {
      endpoint: label,
    });
    modes?.keep(label, "disabled");
  };
  const onBreaker = ({ label: endpoint, limits }: Endpoint, trip: EndpointTrip | null): void => {
    if (trip === null) {
      log.info("the endpoint's breaker closed: attempts are made as before", { endpoint });
      return;
    }
    const { failures, attempts, last } = trip;
    log.warn("the endpoint's breaker opened: too many of its attempts fail, and none is made for a while", {
      endpoint,
      failures,
      attempts,
      open_ms: limits.breaker.openMs,
      detail: describeOutcome(last),
    });
  };
  const { endpoints } = directory;
  const gates = new Map(
    endpoints.map(
      (endpoint) => [endpoint, createEndpointGate({ endpoint, clock, onGone, onBreaker })] as const,
    ),
  );
  const byLabel = new Map(endpoints.map((endpoint) => [endpoint.label, endpoint]));
  const gateOf = (endpoint: Endpoint): EndpointGate => {
    const gate = gates.get(endpoint);
    if (gate === undefined) throw new Error(`endpoint ${endpoint.label} is not in the directory`);
    return gate;
  };
  const applyShared = (label: string, mode: EndpointMode): void => {
    const endpoint = byLabel.get(label);
    const gate = endpoint === undefined ? undefined : gates.get(endpoint);
    // Setting the mode it has would close its breaker at every change of another endpoint.
    if (gate === undefined || gate.mode === mode) return;
    gate.setMode(mode);
    // As loud as an operator's request here: it was made elsewhere, or the backend has lost what it kept.
    log.warn("the endpoint's mode was changed for all processes", { endpoint: label, mode });
  };
  const modes: SharedModes | null =
    shared === undefined
      ? null
      : createSharedModes({
          shared,
          labels: new Map(endpoints.map((endpoint) => [endpoint.label, formerLabelOf(endpoint)])),
          apply: applyShared,
          log,
        });
  return {
    of: gateOf,
    all: () => [...gates.values()],
    scope: modes === null ? "process" : scope,
    load: async () => modes?.load(),
    async setMode(endpoint, mode) {
      await modes?.save(endpoint.label, mode);
      gateOf(endpoint).setMode(mode);
    },
    problems: () => [...gates.values()].flatMap(endpointFindings),
    close() {
      modes?.close();
      for (const gate of gates.values()) gate.close();
    },
  };
}
