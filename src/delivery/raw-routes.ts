import type { QueueConfig, RouteConfig } from "../config/schema.ts";
import { parseJson } from "../jobs/fields.ts";
import type { RawJob } from "../jobs/job.ts";
import type { RawRoutes } from "./router.ts";

/**
 * The compiled routes of a raw queue: the first that matches counts, and what none takes goes to the
 * queue's `endpoint`, where it has one.
 *
 * A route compares a message attribute, or a value in a JSON body, as a text. The body is parsed at most
 * once per job, and only where a route looks into it.
 */
export function compileRawRoutes({ routes, endpoint }: Pick<QueueConfig, "routes" | "endpoint">): RawRoutes {
  const endpoints = new Set(routes.map((route) => route.endpoint));
  if (endpoint !== null) endpoints.add(endpoint);
  return {
    endpoints,
    pick(job) {
      const facts = readFacts(job);
      return routes.find((route) => matches(route, facts))?.endpoint ?? endpoint;
    },
  };
}

interface Facts {
  attribute(name: string): unknown;
  body(path: string): unknown;
}

function readFacts(job: RawJob): Facts {
  let parsed: { readonly value: unknown } | null = null;
  return {
    attribute: (name) => (Object.hasOwn(job.attributes, name) ? job.attributes[name] : undefined),
    body(path) {
      parsed ??= { value: typeof job.content === "string" ? parseJson(job.content) : undefined };
      return path.split(".").reduce(member, parsed.value);
    },
  };
}

function matches({ match }: RouteConfig, facts: Facts): boolean {
  const { attribute, body, equals, prefix } = match;
  const value = attribute === undefined ? facts.body(body ?? "") : facts.attribute(attribute);
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return false;
  const text = String(value);
  return (equals === undefined || text === equals) && (prefix === undefined || text.startsWith(prefix));
}

/** Only what the JSON itself holds: `constructor` or `length` must not lead anywhere. */
function member(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  if (Array.isArray(value) && !/^\d+$/.test(key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}
