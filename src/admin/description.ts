import type * as v from "valibot";
import type { ProblemCode } from "./problem.ts";

/** An answer that a route gives when nothing is wrong. */
export interface Answer {
  /** One sentence: what the client has then. */
  readonly text: string;
  /** Of the body; null for an answer without one. */
  readonly schema: v.GenericSchema | null;
  /** A body of this schema. */
  readonly example?: unknown;
  /** Absent: `application/json`. */
  readonly contentType?: string;
  /** Further headers, names in lower case, each with what it says. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error that a route may give, with its status where that is not the code's usual one. */
export type StatedError = ProblemCode | readonly [code: ProblemCode, status: number];

/** A request that a running server answers as described. */
export interface RequestExample<Body> {
  /** The values in the places of the path's parameters. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
}

/**
 * What a route says of itself in /openapi.json and docs/api.md, beside its declaration: method, path, access, query and
 * body are taken from there, so that the document and the server cannot differ.
 */
export interface RouteDescription<Body = unknown> {
  /** Names the operation in generated clients, as `pauseQueue`. Unique. */
  readonly id: string;
  /** What it does: a short sentence without a full stop, verb first. */
  readonly summary: string;
  /** Further sentences that a user needs. */
  readonly details?: string;
  /** Explains parameters of the path where their name does not tell which they are. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Headers that the request may have, each with what it does. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** The errors that it may give, beyond those that follow from access, parameters and body. */
  readonly errors?: readonly StatedError[];
  readonly example?: RequestExample<Body>;
}

/** An answer with a JSON body; its example is checked against the schema's type. */
export function answer<const Schema extends v.GenericSchema>(
  text: string,
  schema: Schema,
  example: v.InferInput<Schema>,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { text, schema, example, headers };
}

/** An answer without a body. */
export function emptyAnswer(text: string): Answer {
  return { text, schema: null };
}
