/** A JSON Schema as OpenAPI 3.1 has it (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * How a program writes the value of a query parameter: metadata of the schema that checks its text, where that is more
 * than a text.
 */
export interface ParameterKind {
  readonly parameter: JsonSchema;
}
