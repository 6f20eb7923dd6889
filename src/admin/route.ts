import type * as v from "valibot";
import type { Access } from "./auth.ts";
import type { RouteDescription } from "./description.ts";
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

/** The schema of a body. One that is optional at its head says that the body may be left out. */
export type BodySchema = v.GenericSchema | undefined;

/** What the declared schemas make of a request. */
export interface RouteInput<Query extends QuerySchemas, Body extends BodySchema> {
  readonly query: QueryOf<Query>;
  /**
   * Reads the body and checks it: called by the handler, so that what the path names is looked at first. To be called
   * once.
   *
   * @throws RequestError for a body that is not JSON, or not as the schema has it (`invalid_body`).
   */
  readonly body: () => Promise<Body extends v.GenericSchema ? v.InferOutput<Body> : never>;
}

/** One row of the API, as it declares itself. HEAD follows from GET. */
export interface RouteDeclaration<Query extends QuerySchemas, Body extends BodySchema> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With parameters, as in `/v1/queues/:queue`; also the `route` label in metrics. */
  readonly path: string;
  readonly access: Access;
  /**
   * It takes dry runs, which are read: by a query parameter `dry_run`, or else its handler calls `requireOperate` for
   * what is none.
   */
  readonly dryRun?: boolean;
  /** Only for what is in every hookline: requests of any site get it. */
  readonly fromAnywhere?: boolean;
  /** What it covers beyond the app and queue of its path; absent: all, so that limited tokens are refused. */
  readonly reach?: Reach;
  /** The query parameters it takes; absent: none, and any is refused. */
  readonly query?: Query;
  /** The body it takes; absent: none. A handler that needs the body's own bytes reads them itself. */
  readonly body?: Body;
  /** For the API document; called when that is made, never for a request. */
  readonly about: () => RouteDescription<Body extends v.GenericSchema ? v.InferInput<Body> : never>;
  /** Answers, or throws: admin/problem.ts turns what it throws into the answer. */
  handle(request: AdminRequest, input: RouteInput<Query, Body>): Reply | Promise<Reply>;
}

/** One row of the API. */
export interface Route extends Omit<
  RouteDeclaration<QuerySchemas, BodySchema>,
  "handle" | "query" | "body" | "about"
> {
  readonly query: QuerySchemas;
  readonly body: BodySchema;
  readonly about: () => RouteDescription;
  /** @param input What its own schemas made of the request. */
  handle(request: AdminRequest, input: RouteInput<never, never>): Reply | Promise<Reply>;
}

/** The query of a route that takes none. */
type NoQuery = Readonly<Record<string, never>>;

/** A route whose handler gets what the declared schemas make of the request. */
export function route<const Query extends QuerySchemas = NoQuery, const Body extends BodySchema = undefined>(
  declaration: RouteDeclaration<Query, Body>,
): Route {
  return { ...declaration, query: declaration.query ?? {}, body: declaration.body };
}

/** A path parameter of the route's own pattern, decoded. */
export function pathParameter({ params }: AdminRequest, name: string): string {
  return params[name] ?? "";
}
