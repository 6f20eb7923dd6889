import type { Context } from "hono";
import type { Access } from "./auth.ts";
import type { Incoming } from "./incoming.ts";

/** Hono's context; `c.env` is the Incoming. */
export type AdminContext = Context<{ Bindings: Incoming }>;

/** One row of the API. HEAD follows from GET. */
export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** Hono's pattern; also the `route` label in metrics. */
  readonly path: string;
  readonly access: Access;
  /** Answers, or throws: admin/problem.ts turns what it throws into the answer. */
  handle(c: AdminContext): Response | Promise<Response>;
}

/** A path parameter of the route's own pattern, decoded. */
export function pathParameter(c: AdminContext, name: string): string {
  return c.req.param(name) ?? "";
}
