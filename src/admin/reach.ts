import { quote } from "../secrets/masked-start.ts";
import { RequestError } from "./request-error.ts";
import type { Caller } from "./tokens.ts";

/**
 * How much of one kind of thing, apps or queues, a route shows or changes.
 * - `none`: it holds nothing of any.
 * - `own`: its handler keeps to those that the caller may name.
 * - `all`: it does not tell them apart.
 */
export type Extent = "none" | "own" | "all";

/** A route's reach over apps and queues; what is not said is what the path names, else `all`. */
export interface Reach {
  readonly apps?: Extent;
  readonly queues?: Extent;
}

const kinds = [
  { kind: "apps", parameter: "app", one: "app" },
  { kind: "queues", parameter: "queue", one: "queue" },
] as const;

/**
 * Refuses what is out of the reach of a token that is limited to some apps or queues.
 *
 * A route that says nothing of its reach is closed to such a token, so that a new one cannot be forgotten.
 *
 * @param params What stands in the places of the path's parameters.
 * @throws RequestError `forbidden`.
 */
export function requireReach(
  reach: Reach,
  caller: Caller,
  params: Readonly<Record<string, string>>,
  mask: (text: string) => string,
): void {
  for (const { kind, parameter, one } of kinds) {
    const allowed = caller[kind];
    if (allowed === null) continue;
    const named = params[parameter];
    const extent = reach[kind] ?? "all";
    if (named === undefined ? extent !== "all" : allowed.has(named)) continue;
    throw new RequestError(
      "forbidden",
      named === undefined
        ? `the token ${caller.name ?? ""} is limited to some ${kind}, and this does not tell them apart`
        : `the token ${caller.name ?? ""} may not name the ${one} ${quote(mask, named)}`,
    );
  }
}

/** Whether the caller may name this app; `-` stands for the named endpoints. */
export function mayNameApp({ apps }: Caller, id: string): boolean {
  return apps === null || apps.has(id);
}

/** Whether the caller may name this queue. */
export function mayNameQueue({ queues }: Caller, name: string): boolean {
  return queues === null || queues.has(name);
}
