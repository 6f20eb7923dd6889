import type { Access } from "../auth.ts";
import type { Answer, RouteDescription } from "../description.ts";
import { isOptionalBody, patchTypes } from "../read-body.ts";
import type { Route } from "../route.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { parametersOf } from "./parameters.ts";
import { problemComponents, problemResponses } from "./problems.ts";

/** What each access asks of the caller, in words. */
const accessTexts: Readonly<Record<Access, string>> = {
  open: "Needs no token.",
  any: "Any token.",
  read: "Scope `read`.",
  enqueue: "Scope `enqueue`.",
  operate: "Scope `operate`.",
  token: "Scope `operate`, and a token in any case.",
};

/** The groups in which operations are shown, by the first segment of the path. */
const groups: Readonly<Record<string, string>> = {
  queues: "Jobs, queues and dead letters",
  apps: "Apps, their webhooks and their events",
  endpoints: "Endpoints",
  deliveries: "The history of deliveries",
  process: "The process, its configuration and its loops",
  health: "Health, metrics and public keys, for anyone",
};

/** The OpenAPI 3.1 document of the routes. */
export function openApiDocument(routes: readonly Route[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = templateOf(route.path);
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "hookline",
      version,
      summary: "A webhook queue in one executable.",
      description:
        "Errors are `application/problem+json`; their `code` is what a program tells them apart by. Without a configured token `/v1` answers direct local clients only. Query parameters that are not listed are refused.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: ".", description: "Where this document was found." }],
    security: [{ token: [] }],
    tags: Object.entries(groups).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "`server.token`, or one of `server.tokens`." },
      },
      ...problemComponents(),
    },
  };
}

/** A path as OpenAPI writes it: `/v1/queues/{queue}`. */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, "{$1}");
}

function operationOf(route: Route): Record<string, unknown> {
  const about = route.about();
  const parameters = parametersOf(route, about);
  return {
    operationId: about.id,
    summary: about.summary,
    description: [about.details, accessTexts[route.access]].filter((text) => text !== undefined).join(" "),
    tags: [groupOf(route)],
    ...(route.access === "open" ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBodyOf(route, about) }),
    responses: {
      ...Object.fromEntries(Object.entries(about.answers).map(([status, one]) => [status, responseOf(one)])),
      ...problemResponses(route, about.errors ?? []),
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

function groupOf({ path, access }: Route): string {
  if (access === "open") return "health";
  const segment = path.split("/")[2] as string;
  return Object.hasOwn(groups, segment) ? segment : "process";
}

function requestBodyOf({ body, method }: Route, { example }: RouteDescription): Record<string, unknown> {
  if (body === undefined) throw new Error("no body");
  const media = {
    schema: jsonSchemaOf(body, "input"),
    ...(example?.body === undefined ? {} : { example: example.body }),
  };
  const types = method === "PATCH" ? patchTypes : ["application/json"];
  return {
    required: !isOptionalBody(body),
    content: Object.fromEntries(types.map((type) => [type, media])),
  };
}

function responseOf({ text, schema, example, contentType, headers = {} }: Answer): Record<string, unknown> {
  const named = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: "string" } },
  ]);
  return {
    description: text,
    ...(named.length === 0 ? {} : { headers: Object.fromEntries(named) }),
    ...(schema === null
      ? {}
      : {
          content: {
            [contentType ?? "application/json"]: { schema: jsonSchemaOf(schema, "output"), example },
          },
        }),
  };
}
