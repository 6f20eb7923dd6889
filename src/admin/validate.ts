import * as v from "valibot";
import { RequestError } from "./request-error.ts";

/**
 * The value as the schema has it.
 *
 * @param code The error to throw with, as `invalid_body` or `bad_query`.
 * @throws RequestError that names every wrong member, what was expected and what was given.
 */
export function validate<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  code: "invalid_body" | "bad_query",
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return result.output;
  const lines = result.issues.slice(0, 10).map((issue) => {
    const path = v.getDotPath(issue);
    return path === null ? issue.message : `${path}: ${issue.message}`;
  });
  throw new RequestError(code, lines.join("; "));
}
