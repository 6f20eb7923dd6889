import * as v from "valibot";
import { quote } from "../secrets/masked-start.ts";
import type { ParameterKind } from "./parameter-kind.ts";
import { RequestError } from "./request-error.ts";
import { validate } from "./validate.ts";

/** The query parameters that a route takes, each with the schema of its text; the others are refused. */
export type QuerySchemas = Readonly<Record<string, v.GenericSchema<string | null | undefined, unknown>>>;

/** The values of a route's query parameters. */
export type QueryOf<Schemas extends QuerySchemas> = {
  readonly [Name in keyof Schemas]: v.InferOutput<Schemas[Name]>;
};

const limitUpTo = (most: number) => {
  const expected = `expected an integer from 1 to ${most}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,6}$/, expected),
    v.transform(Number),
    v.minValue(1, expected),
    v.maxValue(most, expected),
    v.metadata({ parameter: { type: "integer", minimum: 1, maximum: most } } satisfies ParameterKind),
  );
};

/** A `limit`: how many entries a page has at most; `fallback` where none is given. */
export function limitParameter(fallback: number, most = 1000) {
  return v.optional(limitUpTo(most), String(fallback));
}

/** A `limit` of a list that is short in itself: where none is given, the size of the answer alone ends the page. */
export const shortListLimit = v.optional(limitUpTo(1000));

/** A `cursor`: what the previous page gave; null for the first page. */
export const cursorParameter = v.optional(
  v.nullable(v.pipe(v.string(), v.maxLength(1024, "expected the cursor of a previous page"))),
  null,
);

/**
 * Reads the query parameters of a request.
 *
 * A parameter that is unknown, given twice or empty is refused: an answer that passed over it would look like the
 * answer to what was asked.
 *
 * @param target Path and query, as on the request line.
 * @param mask   Replaces every secret in a text: names and values are the client's own.
 * @throws RequestError `bad_query` that names what is wrong and the parameters there are.
 */
export function readQuery<Schemas extends QuerySchemas>(
  schemas: Schemas,
  target: string,
  mask: (text: string) => string,
): QueryOf<Schemas> {
  const names = Object.keys(schemas);
  const known = names.length === 0 ? "this path takes none" : `this path takes ${names.join(", ")}`;
  const given = new Map<string, string>();
  for (const [name, value] of target.includes("?") ? parametersOf(target) : []) {
    const refuse = (problem: string): RequestError => new RequestError("bad_query", `${problem}; ${known}`);
    if (!Object.hasOwn(schemas, name)) throw refuse(`no query parameter ${quote(mask, name)}`);
    if (given.has(name)) throw refuse(`${name}: given more than once`);
    if (value === "") throw refuse(`${name}: empty; leave it out or give it a value`);
    given.set(name, value);
  }
  if (names.length === 0) return {} as QueryOf<Schemas>;
  return validate(v.object(schemas), Object.fromEntries(given), "bad_query") as QueryOf<Schemas>;
}

/** Names and values in order, decoded; a `%` that cannot be decoded is refused, where URLSearchParams keeps it. */
function parametersOf(target: string): [name: string, value: string][] {
  return target
    .slice(target.indexOf("?") + 1)
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", ...value] = part.replaceAll("+", " ").split("=");
      try {
        return [decodeURIComponent(name), decodeURIComponent(value.join("="))];
      } catch {
        throw new RequestError("bad_query", "the query has a % that is not followed by valid UTF-8 in hex");
      }
    });
}
