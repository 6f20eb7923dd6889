import type { Clock } from "../clock.ts";
import type { Directory, Endpoint } from "../delivery/endpoint.ts";
import type { Logger } from "../log.ts";
import { createEndpointGate, type EndpointGate } from "./endpoint-gate.ts";

/** The gates of all endpoints in this process: what the lanes ask and the admin API shows. */
export interface EndpointGates {
  of(endpoint: Endpoint): EndpointGate;
  /** Every endpoint of the configuration, in its order. */
  all(): readonly EndpointGate[];
  close(): void;
}

export interface EndpointGatesOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createEndpointGates({ directory, clock, log }: EndpointGatesOptions): EndpointGates {
  const onGone = ({ label }: Endpoint): void => {
    log.warn("the endpoint answers 410 again and again and is disabled; its jobs go to the dead letters", {
      endpoint: label,
    });
  };
  const endpoints = [...directory.apps.flatMap((app) => app.endpoints), ...(directory.named ?? [])];
  const gates = new Map(
    endpoints.map((endpoint) => [endpoint, createEndpointGate({ endpoint, clock, onGone })] as const),
  );
  return {
    of(endpoint) {
      const gate = gates.get(endpoint);
      if (gate === undefined) throw new Error(`endpoint ${endpoint.label} is not in the directory`);
      return gate;
    },
    all: () => [...gates.values()],
    close() {
      for (const gate of gates.values()) gate.close();
    },
  };
}
