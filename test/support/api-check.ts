import Ajv2020, { type ValidateFunction } from "ajv/dist/2020";

type Schema = Record<string, unknown>;

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly {
    name: string;
    in: string;
    required: boolean;
    example?: string;
    schema: Schema;
  }[];
  readonly requestBody?: {
    required: boolean;
    content: Record<string, { schema: Schema; example?: unknown }>;
  };
  readonly responses: Record<string, ResponseObject>;
}

export interface ResponseObject {
  readonly description?: string;
  readonly headers?: Record<string, unknown>;
  readonly content?: Record<string, { schema: Schema; example?: unknown }>;
  readonly $ref?: string;
}

/** /openapi.json, as far as tests look at it. */
export interface ApiDocument {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}

/** An answer, as it is held against the document. */
export interface SeenAnswer {
  readonly method: string;
  /** As on the request line: path and query. */
  readonly target: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string | null;
}

/** Holds answers against an API document. Members that the document does not list are violations, too. */
export interface ApiCheck {
  /** What of the answer is not as the document says; empty when all is. */
  violations(seen: SeenAnswer): string[];
  /** What of a value is not as a schema of the document says. */
  valueViolations(schema: Schema, value: unknown): string[];
}

export function createApiCheck(document: ApiDocument): ApiCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  const compiled = new Map<Schema, ValidateFunction>();
  const patterns = Object.entries(document.paths)
    .map(([path, operations]) => ({ path, operations, pattern: patternOf(path) }))
    // As the router does: what is written out counts before a parameter.
    .sort((a, b) => (a.path.replaceAll("{", "~") < b.path.replaceAll("{", "~") ? -1 : 1));

  const valueViolations = (schema: Schema, value: unknown): string[] => {
    const validate =
      compiled.get(schema) ?? ajv.compile(closed(schema, document.components.schemas) as Schema);
    compiled.set(schema, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath || "/"} ${message} ${JSON.stringify(params)}`,
    );
  };

  return {
    valueViolations,
    violations({ method, target, status, headers, body }) {
      const path = target.split("?", 1)[0] as string;
      const place = `${method} ${path} → ${status}`;
      const found = patterns.find(({ pattern }) => pattern.test(path));
      // A path that does not exist is answered without any route.
      const operation = found?.operations[method === "HEAD" ? "get" : method.toLowerCase()];
      if (operation === undefined) return [];
      const isHead = method === "HEAD";
      const type = headers["content-type"]?.split(";", 1)[0];
      if (type === "application/problem+json") {
        if (isHead || body === null) return [];
        const { code } = JSON.parse(body) as { code: string };
        if (edgeCodes.has(code)) return [];
        const told = operation.responses[String(status)]?.content?.["application/problem+json"];
        const problem =
          told === undefined ? ["no such error answer"] : valueViolations(told.schema, JSON.parse(body));
        return problem.map((one) => `${place} ${code}: ${one}; src/admin: add it to the route's errors`);
      }
      const response = operation.responses[String(status)];
      if (response === undefined) return [`${place}: the document has no such answer`];
      for (const name of Object.keys(response.headers ?? {})) {
        if (headers[name] === undefined) return [`${place}: the header ${name} is missing`];
      }
      if (response.content === undefined) return body === null || isHead ? [] : [`${place}: has a body`];
      const media = response.content[type ?? ""] ?? response.content[headers["content-type"] ?? ""];
      if (media === undefined) return [`${place}: the document has no ${type}`];
      if (isHead || body === null) return [];
      const value: unknown = type?.endsWith("json") === true ? JSON.parse(body) : body;
      return valueViolations(media.schema, value).map((one) => `${place}: ${one}`);
    },
  };
}

/** What any request may meet before its route, or by a bug. */
const edgeCodes = new Set([
  "bad_http",
  "request_timeout",
  "headers_too_large",
  "internal",
  "bad_request_target",
]);

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`);
}

/** The schema with references put in, where an object that lists its members may have no others. */
function closed(schema: unknown, named: Record<string, Schema>): unknown {
  if (Array.isArray(schema)) return schema.map((one) => closed(one, named));
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref, ...rest } = schema as Schema;
  if (typeof $ref === "string") return closed(named[$ref.split("/").at(-1) as string], named);
  const inner = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [
      key,
      key === "allOf" || key === "enum" || key === "const" || key === "default"
        ? key === "allOf"
          ? withReferences(value, named)
          : value
        : closed(value, named),
    ]),
  );
  if (!("properties" in inner) || "additionalProperties" in inner) return inner;
  return { ...inner, additionalProperties: false };
}

/** Parts of an allOf list members together: none of them can be closed by itself. */
function withReferences(schema: unknown, named: Record<string, Schema>): unknown {
  if (Array.isArray(schema)) return schema.map((one) => withReferences(one, named));
  if (typeof schema !== "object" || schema === null) return schema;
  const { $ref, ...rest } = schema as Schema;
  if (typeof $ref === "string") return named[$ref.split("/").at(-1) as string];
  return rest;
}
