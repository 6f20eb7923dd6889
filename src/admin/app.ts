import { Hono } from "hono";
import type { Series } from "../metrics.ts";
import { accessWarning, createAuthorizer, type Access } from "./auth.ts";
import { configRoutes } from "./config.ts";
import { deadLetterRoutes } from "./dead.ts";
import type { AdminDeps } from "./deps.ts";
import { endpointRoutes } from "./endpoints.ts";
import { createEventWriter, type EventWriter } from "./event-writer.ts";
import { eventRoutes } from "./events.ts";
import { healthRoutes } from "./health.ts";
import type { Incoming } from "./incoming.ts";
import { jobRoutes } from "./jobs.ts";
import { metricsRoutes } from "./metrics.ts";
import { problemResponse } from "./problem.ts";
import { problemRoutes } from "./problems.ts";
import { readQuery } from "./query.ts";
import { queueRoutes } from "./queues.ts";
import { RequestError } from "./request-error.ts";
import type { AdminContext, Route } from "./route.ts";
import { wellKnownRoutes } from "./well-known.ts";
import { workerRoutes } from "./workers.ts";

export interface AdminApp {
  /**
   * Answers one request; never rejects.
   *
   * @param request Its body is not used: bodies are read through `incoming`, counted.
   */
  fetch(request: Request, incoming: Incoming): Promise<Response>;
  /** Writes the events that still wait for their batch; for shutdown, once requests are refused. */
  flush(): Promise<void>;
}

/**
 * The admin API of contract §4 over the parts in `deps`; holds no state beyond small caches.
 *
 * Made once at start: it warns of a missing token.
 */
export function createAdminApp(deps: AdminDeps): AdminApp {
  const authorize = createAuthorizer(deps.config.server);
  const warning = accessWarning(deps.config.server);
  if (warning !== null) deps.log.warn(warning);
  const hono = new Hono<{ Bindings: Incoming }>();

  /** Around every answer: rights first, then the work, then whatever was thrown as a problem. */
  const answer = async (
    c: AdminContext,
    route: string,
    access: Access,
    work: () => Response | Promise<Response>,
  ): Promise<Response> => {
    let response: Response;
    try {
      authorize(access, c.req.raw.headers, c.env);
      requireDecodablePath(c.req.raw.url);
      response = await work();
    } catch (error) {
      response = problemResponse(deps, error);
    }
    count(route, response.status);
    return response;
  };

  const series = new Map<string, Series>();
  const count = (route: string, status: number): void => {
    const key = `${status} ${route}`;
    let one = series.get(key);
    if (one === undefined) {
      one = deps.metrics.httpRequests.labels({ route, status: String(status) });
      series.set(key, one);
    }
    one.inc();
  };

  const writer = createEventWriter(deps);
  const routes = allRoutes(deps, writer);
  for (const route of routes) {
    hono.on(route.method, route.path, (c) =>
      answer(c, route.path, route.access, () =>
        route.handle(c, { query: readQuery(route.query, c.req.raw.url, deps.mask) as never }),
      ),
    );
  }
  for (const [path, { methods, access }] of methodsByPath(routes)) {
    const allow = methods.join(", ");
    hono.all(path, (c) =>
      answer(c, path, access, () => {
        throw new RequestError("method_not_allowed", `this path takes ${allow}`, { allow });
      }),
    );
  }
  hono.notFound((c) =>
    answer(c as AdminContext, "unknown", isUnderV1(c.req.path) ? "operator" : "open", () => {
      throw new RequestError(
        "not_found",
        "no such path: hookline answers GET /health, /metrics and /v1/…, as the README lists them",
      );
    }),
  );
  hono.onError((error) => problemResponse(deps, error));

  return { fetch: async (request, incoming) => hono.fetch(request, incoming), flush: () => writer.flush() };
}

function allRoutes(deps: AdminDeps, writer: EventWriter): Route[] {
  return [
    ...jobRoutes(deps),
    ...eventRoutes(deps, writer),
    ...healthRoutes(deps),
    ...metricsRoutes(deps),
    ...problemRoutes(deps),
    ...queueRoutes(deps),
    ...deadLetterRoutes(deps),
    ...endpointRoutes(deps),
    ...workerRoutes(deps),
    ...configRoutes(deps),
    ...wellKnownRoutes(deps),
  ];
}

/** For 405: what each path does take, and the least right among its routes. */
function methodsByPath(routes: readonly Route[]): Map<string, { methods: string[]; access: Access }> {
  const paths = new Map<string, { methods: string[]; access: Access }>();
  for (const { path, method, access } of routes) {
    const methods = paths.get(path)?.methods ?? [];
    methods.push(...(method === "GET" ? ["GET", "HEAD"] : [method]));
    paths.set(path, { methods, access: access === "open" ? "open" : "operator" });
  }
  return paths;
}

function isUnderV1(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}

/** Hono passes a percent sign it cannot decode through as it is; here that is an error. */
function requireDecodablePath(url: string): void {
  // Most have none, and parsing a URL costs as much as routing it.
  if (!url.includes("%")) return;
  try {
    decodeURIComponent(new URL(url).pathname);
  } catch {
    throw new RequestError(
      "bad_request_target",
      "the path has a % that is not followed by valid UTF-8 in hex",
    );
  }
}
