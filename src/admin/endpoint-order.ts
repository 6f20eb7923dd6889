import * as v from "valibot";
import { endpointState } from "../endpoints/findings.ts";
import type { EndpointGate } from "../endpoints/state.ts";
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
  gates: readonly EndpointGate[],
  backlogs: ReadonlyMap<string, Backlog> | null,
): EndpointGate[] {
  const waiting = (gate: EndpointGate): number => backlogs?.get(gate.endpoint.label)?.count ?? 0;
  const isWell = (gate: EndpointGate): number => (endpointState(gate) === "closed" ? 1 : 0);
  return gates.toSorted((a, b) => isWell(a) - isWell(b) || waiting(b) - waiting(a));
}
