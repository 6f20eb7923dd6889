import { RequestError } from "./request-error.ts";
import type { Route } from "./route.ts";

/** The routes of one path pattern. */
export interface PathRoutes {
  /** As the routes declare it. */
  readonly path: string;
  readonly byMethod: ReadonlyMap<string, Route>;
}

/** The routes that a path leads to, and what stands in the place of each parameter, decoded. */
export interface PathMatch {
  readonly routes: PathRoutes;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern extends PathRoutes {
  readonly byMethod: Map<string, Route>;
  /** `:name` for a parameter. */
  readonly segments: readonly string[];
}

/**
 * Finds routes by path: `/v1/queues/:queue/jobs`, where a parameter stands for one segment that is not empty.
 *
 * Segments are compared decoded, and a slash that is encoded stays within its segment. Where several patterns fit, the
 * one counts whose first segment that differs is written out. The cost is bounded by the patterns of as many segments.
 *
 * @throws RequestError `bad_request_target` for a path that cannot be decoded.
 */
export function createRouter(routes: readonly Route[]): (path: string) => PathMatch | null {
  const patterns = new Map<string, Pattern>();
  for (const route of routes) {
    const { path, method } = route;
    const known = patterns.get(path) ?? { path, byMethod: new Map(), segments: path.split("/") };
    known.byMethod.set(method, route);
    patterns.set(path, known);
  }
  const sorted = [...patterns.values()].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  const byLength = Map.groupBy(sorted, ({ segments }) => segments.length);
  const longest = Math.max(0, ...byLength.keys());

  return (path) => {
    const raw = path.split("/", longest + 1);
    const segments = path.includes("%") ? raw.map(decode) : raw;
    for (const pattern of byLength.get(segments.length) ?? []) {
      const params: [name: string, value: string][] = [];
      let fits = true;
      for (let at = 0; at < segments.length && fits; at += 1) {
        const expected = pattern.segments[at] as string;
        const given = segments[at] as string;
        if (expected.startsWith(":")) {
          fits = given !== "";
          params.push([expected.slice(1), given]);
        } else fits = given === expected;
      }
      if (fits) return { routes: pattern, params: Object.fromEntries(params) };
    }
    return null;
  };
}

/** Orders patterns: `~` is behind whatever a path is written out of. */
function sortKey({ segments }: Pattern): string {
  return segments.map((segment) => (segment.startsWith(":") ? "~" : segment)).join("/");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new RequestError(
      "bad_request_target",
      "the path has a % that is not followed by valid UTF-8 in hex",
    );
  }
}
