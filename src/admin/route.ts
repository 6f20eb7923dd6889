import type { Access } from "./auth.ts";
import type { Reach } from "./reach.ts";
import type { Caller } from "./tokens.ts";
import type { Incoming } from "./incoming.ts";
import type { QueryOf, QuerySchemas } from "./query.ts";
import type { Reply } from "./reply.ts";

/** A request that has found its route. */
export interface AdminRequest extends Incoming {
  /** What stands in the places of the path's parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
}

/** One row of the API, as it declares itself. HEAD follows from GET. */
export interface RouteDeclaration<Query extends QuerySchemas> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With parameters, as in `/v1/queues/:queue`; also the `route` label in metrics. */
  readonly path: string;
  readonly access: Access;
  /**
   * It takes dry runs, which are read: by a query parameter `dry_run`, or else its handler calls `requireOperate` for
   * what is none.
   */
  readonly dryRun?: boolean;
  /** What it covers beyond the app and queue of its path; absent: all, so that limited tokens are refused. */
  readonly reach?: Reach;
  /** The query parameters it takes; absent: none, and any is refused. */
  readonly query?: Query;
  /** Answers, or throws: admin/problem.ts turns what it throws into the answer. */
  handle(request: AdminRequest, input: { readonly query: QueryOf<Query> }): Reply | Promise<Reply>;
}

/** One row of the API. */
export interface Route extends Omit<RouteDeclaration<QuerySchemas>, "handle"> {
  readonly query: QuerySchemas;
  /** @param input What its own schemas made of the request. */
  handle(request: AdminRequest, input: { readonly query: never }): Reply | Promise<Reply>;
}

/** The query of a route that takes none. */
type NoQuery = Readonly<Record<string, never>>;

/** A route whose handler gets what the declared schemas make of the request. */
export function route<const Query extends QuerySchemas = NoQuery>(
  declaration: RouteDeclaration<Query>,
): Route {
  return { ...declaration, query: declaration.query ?? {} };
}

/** A path parameter of the route's own pattern, decoded. */
export function pathParameter({ params }: AdminRequest, name: string): string {
  return params[name] ?? "";
}
