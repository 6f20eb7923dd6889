import { Hono } from "hono";
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

/** What a request leaves behind on its way through Hono. */
interface Finding {
  match: PathMatch | null;
}

/** Stands for "found" towards Hono; it is never sent. */
const found = new Response(null);

/**
 * Finds routes by path: `/v1/queues/:queue/jobs`, where a parameter stands for one segment that is not empty.
 *
 * Hono finds them. Requests and answers stay plain objects (incoming.ts, reply.ts), because a Request and a Response
 * for each cost more than all the rest of the edge (5 to 10 us); Hono reads nothing of a request but method and URL.
 *
 * Segments are compared decoded, and a slash that is encoded stays within its segment. Where several patterns fit, the
 * one counts whose first segment that differs is written out.
 *
 * The promise rejects with RequestError `bad_request_target` for a path that cannot be decoded.
 */
export function createRouter(
  routes: readonly Route[],
): (path: string) => PathMatch | null | Promise<PathMatch | null> {
  const hono = new Hono<{ Bindings: Finding }>();
  for (const one of pathsOf(routes)) {
    hono.all(one.path, (c) => {
      c.env.match = { routes: one, params: c.req.param() };
      return found;
    });
  }
  hono.notFound(() => found);
  hono.onError((error) => {
    throw error;
  });

  const find = async (path: string): Promise<PathMatch | null> => {
    requireDecodable(path);
    const finding: Finding = { match: null };
    const request = { method: "GET", url: `http://hookline${path}` } as Request;
    await hono.fetch(request, finding);
    const { match } = finding;
    if (match !== null && path.length <= longestRemembered) {
      if (remembered.size === mostRemembered) remembered.clear();
      remembered.set(path, match);
    }
    return match;
  };
  const remembered = new Map<string, PathMatch>();
  return (path) => remembered.get(path) ?? find(path);
}

/** So many paths are remembered with what was found for them: a producer asks for the same few again and again. */
const mostRemembered = 1_000;
const longestRemembered = 200;

/** The routes of each pattern, those first that Hono is to try first. */
function pathsOf(routes: readonly Route[]): PathRoutes[] {
  const paths = new Map<string, { path: string; byMethod: Map<string, Route> }>();
  for (const route of routes) {
    const known = paths.get(route.path) ?? { path: route.path, byMethod: new Map() };
    known.byMethod.set(route.method, route);
    paths.set(route.path, known);
  }
  return [...paths.values()].sort((a, b) => (sortKey(a.path) < sortKey(b.path) ? -1 : 1));
}

/** Orders patterns: `~` is behind whatever a path is written out of. */
function sortKey(path: string): string {
  return path.replaceAll(":", "~");
}

/** Hono passes a percent sign that it cannot decode through as it is; here that is an error. */
function requireDecodable(path: string): void {
  if (!path.includes("%")) return;
  try {
    decodeURIComponent(path);
  } catch {
    throw new RequestError(
      "bad_request_target",
      "the path has a % that is not followed by valid UTF-8 in hex",
    );
  }
}
