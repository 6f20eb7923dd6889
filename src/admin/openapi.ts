import * as v from "valibot";
import { answer } from "./description.ts";
import type { AdminDeps } from "./deps.ts";
import { textReply } from "./reply.ts";
import { route, type Route } from "./route.ts";

/**
 * GET /openapi.json: what this API takes and answers (OpenAPI 3.1), made from the routes when it is first asked for.
 *
 * Anyone may read it: it is the same wherever this version runs.
 */
export function openApiRoutes(deps: AdminDeps, routes: () => readonly Route[]): Route[] {
  let text: Promise<string> | null = null;
  return [
    route({
      method: "GET",
      path: "/openapi.json",
      access: "open",
      about: () => ({
        id: "getOpenApi",
        summary: "This document",
        answers: {
          200: answer(
            "The OpenAPI document of this version.",
            v.looseObject({ openapi: v.string(), info: v.looseObject({}), paths: v.looseObject({}) }),
            { openapi: "3.1.0", info: { title: "hookline" }, paths: {} },
          ),
        },
      }),
      async handle() {
        text ??= makeText(routes(), deps.version);
        return textReply("application/json", await text);
      },
    }),
  ];
}

/** Loaded here and not at the start, which must be quick. */
async function makeText(routes: readonly Route[], version: string): Promise<string> {
  const { openApiDocument } = await import("./openapi/document.ts");
  return JSON.stringify(openApiDocument(routes, version));
}
