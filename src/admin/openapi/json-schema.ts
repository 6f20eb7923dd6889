import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import type { JsonSchema, ParameterKind } from "../parameter-kind.ts";

/**
 * The JSON Schema of a valibot schema.
 *
 * What only code can check is not in it; the words of its description say it.
 *
 * @param of "input" for what a client sends, "output" for what it gets.
 */
export function jsonSchemaOf(schema: v.GenericSchema, of: "input" | "output"): JsonSchema {
  const { $schema: _draft, ...rest } = toJsonSchema(schema, {
    typeMode: of,
    target: "draft-2020-12",
    errorMode: "ignore",
    // Otherwise nothing tells an object that may have further members from one that is listed as a whole.
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      valibotSchema.type === "loose_object" ? { ...jsonSchema, additionalProperties: true } : undefined,
  });
  return rest;
}

interface Wrapper {
  readonly type: "optional" | "nullable" | "nullish";
  readonly wrapped: v.GenericSchema;
  readonly default?: unknown;
}

/** The JSON Schema of a query parameter's value, and whether it must be given. */
export function parameterSchemaOf(schema: v.GenericSchema): { schema: JsonSchema; isRequired: boolean } {
  let inner: v.GenericSchema | Wrapper = schema;
  let isRequired = true;
  let fallback: unknown;
  while ("wrapped" in inner) {
    if (inner.type !== "nullable") isRequired = false;
    fallback ??= inner.default;
    inner = inner.wrapped;
  }
  const kind = parameterKindOf(inner);
  const converted = kind === null ? jsonSchemaOf(inner, "input") : kind.parameter;
  const hasDefault = typeof fallback === "string";
  const value =
    hasDefault && converted["type"] !== "string" ? (JSON.parse(fallback as string) as unknown) : fallback;
  return { schema: hasDefault ? { ...converted, default: value } : converted, isRequired };
}

function parameterKindOf(schema: v.GenericSchema): ParameterKind | null {
  if (!("pipe" in schema)) return null;
  const items = schema.pipe as readonly { readonly type: string; readonly metadata?: unknown }[];
  const found = items.find(({ type }) => type === "metadata")?.metadata;
  return found === undefined ? null : (found as ParameterKind);
}
