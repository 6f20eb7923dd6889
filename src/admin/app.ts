import type { Series } from "../metrics.ts";
import { accessWarning, createAuthorizer, requireOperate } from "./auth.ts";
import { appRoutes } from "./apps.ts";
import { appWebhookRoutes } from "./app-webhooks.ts";
import { reencryptRoutes } from "./reencrypt.ts";
import { rotateKeyRoutes } from "./rotate-key.ts";
import { storedEndpointRoutes } from "./stored-endpoints.ts";
import { configRoutes } from "./config.ts";
import { dashboardRoutes } from "./dashboard.ts";
import { deadLetterRoutes } from "./dead.ts";
import { docsRoutes } from "./docs.ts";
import { deadChangeRoutes } from "./dead-changes.ts";
import { deliveryRoutes } from "./deliveries.ts";
import type { AdminDeps } from "./deps.ts";
import { createDriverProbe } from "./driver-probe.ts";
import { endpointRoutes } from "./endpoints.ts";
import { createEventWriter, type EventWriter } from "./event-writer.ts";
import { eventRoutes } from "./events.ts";
import { healthRoutes } from "./health.ts";
import type { Incoming } from "./incoming.ts";
import { jobChangeRoutes } from "./job-changes.ts";
import { jobStoryRoutes } from "./job-story.ts";
import { jobRoutes } from "./jobs.ts";
import { metricsRoutes } from "./metrics.ts";
import { problemReply } from "./problem.ts";
import { problemRoutes } from "./problems.ts";
import { audited, isChange } from "./audit.ts";
import { processRoutes } from "./processes.ts";
import { createOperations, type Operations } from "./operations/registry.ts";
import { operationRoutes } from "./operations/routes.ts";
import { createOpenApi, openApiRoutes } from "./openapi.ts";
import { readQuery } from "./query.ts";
import { readBody } from "./read-body.ts";
import { queueRoutes } from "./queues.ts";
import type { Reply } from "./reply.ts";
import { requireReach } from "./reach.ts";
import { resendRoutes } from "./resend.ts";
import { RequestError } from "./request-error.ts";
import type { AdminRequest, Route } from "./route.ts";
import { createRouter, type PathMatch } from "./router.ts";
import { tokenRoutes } from "./token.ts";
import { wellKnownRoutes } from "./well-known.ts";
import { waitingJobRoutes } from "./waiting-jobs.ts";
import { workerRoutes } from "./workers.ts";

export interface AdminApp {
  /** All that is answered. */
  readonly routes: readonly Route[];
  /** Answers one request; never rejects. */
  answer(incoming: Incoming): Promise<Reply>;
  /** The text of GET /openapi.json. */
  openApi(): Promise<string>;
  /** Writes the events that still wait for their batch; for shutdown, once requests are refused. */
  flush(): Promise<void>;
  /** Ends the bulk requests after the step that each is at; for shutdown, while the driver still answers. */
  stopOperations(): Promise<void>;
}

/**
 * The admin API of contract §4 over the parts in `deps`; holds no state beyond small caches.
 *
 * Made once at start: it warns of a missing token.
 */
export function createAdminApp(deps: AdminDeps): AdminApp {
  const { host } = deps.live.config.server;
  const authorize = createAuthorizer({ host, tokens: deps.tokens });
  const warning = accessWarning(host, deps.tokens.current());
  if (warning !== null) deps.log.warn(warning);
  const writer = createEventWriter(deps);
  /** Why such a request may not read /v1; null where it may. */
  const refusalOf = (request: AdminRequest): string | null => {
    try {
      authorize({ access: "read" }, request.headers, request);
      return null;
    } catch (error) {
      if (error instanceof RequestError) return error.message;
      throw error;
    }
  };
  const operations = createOperations(deps);
  const openApi = createOpenApi(() => routes, deps.version);
  const routes: readonly Route[] = [
    ...allRoutes(deps, writer, operations),
    ...openApiRoutes(openApi),
    ...dashboardRoutes(deps, refusalOf),
  ];
  const findRoutes = createRouter(routes);

  const series = new Map<string, Series>();
  /** Counts by the path's pattern: the path itself is a client's to invent. */
  const count = (path: string, status: number): void => {
    const key = `${status} ${path}`;
    const one = series.get(key) ?? deps.metrics.httpRequests.labels({ route: path, status: String(status) });
    series.set(key, one);
    one.inc();
  };

  /** Rights first, then the work. */
  const handle = (incoming: Incoming, path: string, match: PathMatch | null): Reply | Promise<Reply> => {
    const { headers, method, target } = incoming;
    if (match === null) {
      authorize({ access: isUnderV1(path) ? "any" : "open" }, headers, incoming);
      throw new RequestError(
        "not_found",
        "no such path: hookline answers GET /health, /metrics and /v1/…, as docs/api.md lists them",
      );
    }
    const { byMethod } = match.routes;
    const route = byMethod.get(method === "HEAD" ? "GET" : method);
    if (route === undefined) {
      const [any] = byMethod.values();
      authorize({ access: any?.access === "open" ? "open" : "any" }, headers, incoming);
      const allow = [...byMethod.keys()]
        .flatMap((one) => (one === "GET" ? ["GET", "HEAD"] : [one]))
        .join(", ");
      throw new RequestError("method_not_allowed", `this path takes ${allow}`, { allow });
    }
    const caller = authorize(route, headers, incoming);
    if (route.access !== "open") requireReach(route.reach ?? {}, caller, match.params, deps.mask);
    const query = readQuery(route.query, target, deps.mask) as { readonly dry_run?: boolean };
    const isDry = route.dryRun === true && query.dry_run === true;
    // Where the body says it, the handler asks.
    if (route.dryRun === true && "dry_run" in route.query && !isDry) requireOperate(caller);
    const { params } = match;
    const request = { ...incoming, params, caller };
    const { body: schema } = route;
    const body = async (): Promise<never> => {
      if (schema === undefined) throw new Error(`${route.method} ${route.path} declares no body`);
      return (await readBody(schema, request, deps.live.config.server.max_body_bytes)) as never;
    };
    const answer = (): Reply | Promise<Reply> => route.handle(request, { query: query as never, body });
    return isChange(route) && !isDry ? audited(deps.log, route, request, answer) : answer();
  };

  return {
    routes,
    async answer(incoming) {
      const path = incoming.target.split(/[?#]/, 1)[0] as string;
      let match: PathMatch | null = null;
      let reply: Reply;
      try {
        match = await findRoutes(path);
        reply = await handle(incoming, path, match);
      } catch (error) {
        reply = problemReply(deps, error);
      }
      count(match?.routes.path ?? "unknown", reply.status);
      return incoming.method === "HEAD" ? { ...reply, body: null } : reply;
    },
    openApi,
    flush: () => writer.flush(),
    stopOperations: () => operations.close(),
  };
}

function allRoutes(deps: AdminDeps, writer: EventWriter, operations: Operations): Route[] {
  const probe = createDriverProbe(deps.driver, deps.clock);
  return [
    ...jobRoutes(deps),
    ...waitingJobRoutes(deps),
    ...jobChangeRoutes(deps),
    ...jobStoryRoutes(deps),
    ...eventRoutes(deps, writer),
    ...healthRoutes(deps, probe),
    ...metricsRoutes(deps, probe),
    ...problemRoutes(deps),
    ...processRoutes(deps),
    ...queueRoutes(deps),
    ...deadLetterRoutes(deps),
    ...deadChangeRoutes(deps, operations),
    ...operationRoutes(deps, operations),
    ...deliveryRoutes(deps),
    ...resendRoutes(deps, operations),
    ...endpointRoutes(deps),
    ...appRoutes(deps),
    ...appWebhookRoutes(deps),
    ...storedEndpointRoutes(deps),
    ...rotateKeyRoutes(deps),
    ...reencryptRoutes(deps, operations),
    ...workerRoutes(deps),
    ...configRoutes(deps),
    ...tokenRoutes(),
    ...wellKnownRoutes(deps),
    ...docsRoutes(),
  ];
}

function isUnderV1(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}
