import * as v from "valibot";
import type { Endpoint } from "../delivery/endpoint.ts";
import { endpointState } from "../endpoints/findings.ts";
import type { EndpointGates } from "../endpoints/registry.ts";
import type { Backlog } from "./backlog.ts";

/** The query parameter `sort` of a list of endpoints. */
export const endpointOrder = v.optional(
  v.pipe(
    v.picklist(["configuration", "attention"], "expected configuration or attention"),
    v.description(
      "`configuration`: as configured. `attention`: those that are not enabled and closed, then by what waits; this order moves, so that its pages may show an endpoint twice or leave one out.",
    ),
  ),
  "configuration",
);

/** Those first that somebody should look at. */
export function attentionFirst(
  endpoints: readonly Endpoint[],
  gates: Pick<EndpointGates, "known">,
  backlogs: ReadonlyMap<string, Backlog> | null,
): Endpoint[] {
  const waiting = ({ label }: Endpoint): number => backlogs?.get(label)?.count ?? 0;
  const isWell = (endpoint: Endpoint): number => {
    const gate = gates.known(endpoint);
    return gate === undefined || endpointState(gate) === "closed" ? 1 : 0;
  };
  return endpoints.toSorted((a, b) => isWell(a) - isWell(b) || waiting(b) - waiting(a));
}
