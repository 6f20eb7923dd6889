import { parseJson } from "../jobs/decode.ts";
import type { RawJob } from "../jobs/job.ts";
import type { RawRoutes } from "./router.ts";

/** A raw queue's entry in `queue.queues`. */
export interface RawQueueConfig {
  /** Where everything goes that no route takes. */
  readonly endpoint?: string | null | undefined;
  /** Tried in order; the first that matches counts. */
  readonly routes?: readonly RawRouteConfig[] | null | undefined;
}

/** One route: an attribute of the message or a value in its JSON body, compared with a text. */
export interface RawRouteConfig {
  /** Without a match the route takes everything. */
  readonly match?:
    | {
        /** A message attribute, as `shoryuken_class`. */
        readonly attribute?: string | null | undefined;
        /** A path into a JSON body, as `job_class` or `detail.items.0.type`. */
        readonly body?: string | null | undefined;
        readonly equals?: string | null | undefined;
        readonly prefix?: string | null | undefined;
      }
    | null
    | undefined;
  readonly endpoint: string;
}

/** The compiled routes of a raw queue. The body is parsed once per job, and only where a route looks into it. */
export function compileRawRoutes(config: RawQueueConfig): RawRoutes {
  const routes = config.routes ?? [];
  const fallback = config.endpoint ?? null;
  const endpoints = new Set(routes.map((route) => route.endpoint));
  if (fallback !== null) endpoints.add(fallback);
  return {
    endpoints,
    pick(job) {
      const facts = readFacts(job);
      return routes.find((route) => matches(route, facts))?.endpoint ?? fallback;
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

function matches({ match }: RawRouteConfig, facts: Facts): boolean {
  if (match === null || match === undefined) return true;
  const { attribute, body, equals, prefix } = match;
  const value = isGiven(attribute) ? facts.attribute(attribute) : facts.body(body ?? "");
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return false;
  const text = String(value);
  return (!isGiven(equals) || text === equals) && (!isGiven(prefix) || text.startsWith(prefix));
}

/** Only what the JSON itself holds: `constructor` or `length` must not lead anywhere. */
function member(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  if (Array.isArray(value) && !/^\d+$/.test(key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function isGiven(value: string | null | undefined): value is string {
  return value !== undefined && value !== null;
}
