import type { Clock } from "../clock.ts";
import type { Endpoint } from "../delivery/endpoint.ts";
import { findByAnyLabel, findByLabel, type Live } from "../delivery/live.ts";
import { describeOutcome } from "../delivery/outcome.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";
import type { SharedState } from "../queue/driver.ts";
import { endpointFindings } from "./findings.ts";
import { createEndpointGate, type EndpointGate, type EndpointMode, type EndpointTrip } from "./state.ts";
import { createSharedModes, type KnownEndpoint, type SharedModes } from "./modes.ts";

/** The gates of all endpoints in this process: what the lanes ask and the admin API shows. */
export interface EndpointGates {
  of(endpoint: Endpoint): EndpointGate;
  /** The gate if somebody has asked for it; an endpoint without one is enabled, closed, and has nothing in flight. */
  known(endpoint: Endpoint): EndpointGate | undefined;
  /** Every endpoint in force, in the configuration's order; makes the gates that are not there yet. */
  all(): readonly EndpointGate[];
  /** The gates that somebody has asked for; the other endpoints are enabled, closed, and have nothing in flight. */
  made(): Iterable<EndpointGate>;
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

/** What becomes of an endpoint, for those who are to be told of it. */
export type EndpointNews = (
  label: string,
  what: "endpoint.disabled" | "endpoint.recovered" | "breaker.opened" | "breaker.closed",
  data: Readonly<Record<string, unknown>>,
) => void;

export interface EndpointGatesOptions {
  readonly onNews?: EndpointNews;
  readonly live: Live;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where modes are shared with other processes; absent where the backend cannot. */
  readonly shared?: SharedState | undefined;
  /** Who sees what is kept there; "cluster" when not given. */
  readonly scope?: "cluster" | "process";
}

/** Up to so many are made at the start, so that metrics have their series from then on; a gate has 8 KB. */
const mostAtStart = 500;

/** The labels that an endpoint's mode is stored under: its own, and the one of 0.1 where that was another. */
function knownAs({ label, name, formerName }: Endpoint): KnownEndpoint {
  return [label, formerName === null ? null : label.slice(0, -name.length) + formerName];
}

/**
 * The gates of the endpoints in force. A replacement leaves an endpoint whose label stays its gate, with what it has
 * counted, its breaker and its mode; the gate of one whose label is gone is let go.
 */
export function createEndpointGates({
  live,
  clock,
  log,
  shared,
  scope = "cluster",
  onNews = () => undefined,
}: EndpointGatesOptions): EndpointGates {
  const onGone = ({ label }: Endpoint): void => {
    log.warn("the endpoint answers 410 again and again and is disabled; its jobs go to the dead letters", {
      endpoint: label,
    });
    onNews(label, "endpoint.disabled", { reason: "it answers 410 again and again" });
    modes?.keep(label, "disabled");
  };
  const onBreaker = ({ label: endpoint, limits }: Endpoint, trip: EndpointTrip | null): void => {
    if (trip === null) {
      log.info("the endpoint's breaker closed: attempts are made as before", { endpoint });
      onNews(endpoint, "breaker.closed", {});
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
    onNews(endpoint, "breaker.opened", { failures, attempts, detail: describeOutcome(last) });
  };
  const byLabel = new Map<string, EndpointGate>();
  const add = (endpoint: Endpoint): EndpointGate => {
    const gate = createEndpointGate({ endpoint, clock, onGone, onBreaker });
    byLabel.set(endpoint.label, gate);
    inOrder = null;
    return gate;
  };
  /** In the configuration's order; made at first use. */
  let inOrder: readonly EndpointGate[] | null = null;
  if (live.directory.size <= mostAtStart) for (const endpoint of live.directory.endpoints) add(endpoint);

  const gateOf = (endpoint: Endpoint): EndpointGate => {
    const known = byLabel.get(endpoint.label);
    if (known !== undefined) return known;
    // Of thousands of apps few are busy: the gate of one is made at first use.
    if (findByLabel(live.directory, endpoint.label) !== endpoint) {
      throw new Error(`endpoint ${endpoint.label} is not in the directory`);
    }
    const made = add(endpoint);
    modes?.apply([knownAs(endpoint)]);
    return made;
  };
  const all = (): readonly EndpointGate[] => (inOrder ??= live.directory.endpoints.map(gateOf));
  const changeMode = (gate: EndpointGate, mode: EndpointMode): void => {
    const before = gate.mode;
    gate.setMode(mode);
    const { label } = gate.endpoint;
    if (mode === "disabled" && before !== mode) {
      onNews(label, "endpoint.disabled", { reason: "an operator disabled it" });
    }
    if (mode === "enabled" && before === "disabled") onNews(label, "endpoint.recovered", {});
  };
  const applyShared = (label: string, mode: EndpointMode): void => {
    const gate = byLabel.get(label);
    // Setting the mode it has would close its breaker at every change of another endpoint.
    if (gate === undefined || gate.mode === mode) return;
    changeMode(gate, mode);
    // As loud as an operator's request here: it was made elsewhere, or the backend has lost what it kept.
    log.warn("the endpoint's mode was changed for all processes", { endpoint: label, mode });
  };
  const modes: SharedModes | null =
    shared === undefined
      ? null
      : createSharedModes({
          shared,
          endpoints: () => [...byLabel.values()].map(({ endpoint }) => knownAs(endpoint)),
          meet: (label) => {
            const endpoint = findByAnyLabel(live.directory, label);
            if (endpoint !== null) gateOf(endpoint);
          },
          apply: applyShared,
          log,
        });

  live.onReplace(({ added, changed, removed }) => {
    inOrder = null;
    for (const endpoint of removed) {
      byLabel.get(endpoint.label)?.close();
      byLabel.delete(endpoint.label);
    }
    if (live.directory.size <= mostAtStart) for (const endpoint of added) add(endpoint);
    for (const { after } of changed) byLabel.get(after.label)?.configure(after);
    // Before anything is planned for them: an endpoint that comes back may have been paused or disabled.
    modes?.apply(added.filter(({ label }) => byLabel.has(label)).map(knownAs));
    modes?.meet();
  });

  return {
    of: gateOf,
    known: ({ label }) => byLabel.get(label),
    all,
    made: () => byLabel.values(),
    scope: modes === null ? "process" : scope,
    load: async () => modes?.load(),
    async setMode(endpoint, mode) {
      await modes?.save(endpoint.label, mode);
      changeMode(gateOf(endpoint), mode);
    },
    problems: () => [...byLabel.values()].flatMap(endpointFindings),
    close() {
      modes?.close();
      for (const gate of byLabel.values()) gate.close();
    },
  };
}
