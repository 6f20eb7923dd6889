import type { Context } from "hono";
import type { Access } from "./auth.ts";
import type { Incoming } from "./incoming.ts";
import type { QueryOf, QuerySchemas } from "./query.ts";

/** Hono's context; `c.env` is the Incoming. */
export type AdminContext = Context<{ Bindings: Incoming }>;

/** One row of the API, as it declares itself. HEAD follows from GET. */
export interface RouteDeclaration<Query extends QuerySchemas> {
  readonly method: "GET" | "POST" | "DELETE";
  /** Hono's pattern; also the `route` label in metrics. */
  readonly path: string;
  readonly access: Access;
  /** The query parameters it takes; absent: none, and any is refused. */
  readonly query?: Query;
  /** Answers, or throws: admin/problem.ts turns what it throws into the answer. */
  handle(c: AdminContext, input: { readonly query: QueryOf<Query> }): Response | Promise<Response>;
}

/** One row of the API. */
export interface Route extends Omit<RouteDeclaration<QuerySchemas>, "handle"> {
  readonly query: QuerySchemas;
  /** @param input What its own schemas made of the request. */
  handle(c: AdminContext, input: { readonly query: never }): Response | Promise<Response>;
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
export function pathParameter(c: AdminContext, name: string): string {
  return c.req.param(name) ?? "";
}
