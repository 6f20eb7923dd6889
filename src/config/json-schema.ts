import { toJsonSchema } from "@valibot/to-json-schema";
import { configSchema } from "./schema.ts";

/**
 * The configuration file as JSON Schema (draft 7), for editors: keys, types, ranges, defaults, descriptions.
 *
 * What only code can check (URLs, PEM, keys, what relates two keys) is not in it: `hookline config check` is.
 * Imported only by `hookline config schema`; the converter is not needed to run.
 */
export function jsonSchema(): object {
  const { $schema, properties, ...rest } = toJsonSchema(configSchema, {
    typeMode: "input",
    errorMode: "ignore",
  });
  return {
    $schema,
    title: "hookline configuration",
    ...rest,
    properties: { $schema: { type: "string", description: "URL of this schema." }, ...properties },
  };
}
