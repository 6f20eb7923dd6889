import type * as v from "valibot";
import { parseJsonBody, readJsonText, readJsonTextIfAny } from "./request.ts";
import type { AdminRequest } from "./route.ts";
import { validate } from "./validate.ts";

/** Media types of a PATCH: RFC 7396's own is taken too. */
export const patchTypes: readonly string[] = ["application/json", "application/merge-patch+json"];

/** Whether a request may come without a body: the schema is optional at its head. */
export function isOptionalBody(schema: v.GenericSchema): boolean {
  return schema.type === "optional";
}

/**
 * The body of a request as the schema has it.
 *
 * @throws RequestError for a body that is not JSON, or not as the schema has it (`invalid_body`).
 */
export async function readBody<const Schema extends v.GenericSchema>(
  schema: Schema,
  request: AdminRequest,
  limitBytes: number,
): Promise<v.InferOutput<Schema>> {
  const text = isOptionalBody(schema)
    ? await readJsonTextIfAny(request, limitBytes)
    : await readJsonText(request, limitBytes, request.method === "PATCH" ? patchTypes : undefined);
  return validate(schema, text === null ? undefined : parseJsonBody(text), "invalid_body");
}
