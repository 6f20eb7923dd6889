import * as v from "valibot";
import { answer } from "./description.ts";
import { textReply } from "./reply.ts";
import { route, type Route } from "./route.ts";

/**
 * The text of the API's document (OpenAPI 3.1), made from the routes when it is first asked for.
 *
 * What makes it is loaded then, too: the start must be quick.
 */
export function createOpenApi(routes: () => readonly Route[], version: string): () => Promise<string> {
  let text: Promise<string> | null = null;
  const make = async (): Promise<string> => {
    const { openApiDocument } = await import("./openapi/document.ts");
    return JSON.stringify(openApiDocument(routes(), version));
  };
  return () => (text ??= make());
}

/**
 * GET /openapi.json: what this API takes and answers.
 *
 * Anyone may read it: it is the same wherever this version runs.
 */
export function openApiRoutes(text: () => Promise<string>): Route[] {
  return [
    route({
      method: "GET",
      path: "/openapi.json",
      access: "open",
      about: () => ({
        id: "getOpenApi",
        summary: "Show this document",
        answers: {
          200: answer(
            "The OpenAPI document of this version.",
            v.looseObject({ openapi: v.string(), info: v.looseObject({}), paths: v.looseObject({}) }),
            { openapi: "3.1.0", info: { title: "hookline" }, paths: {} },
          ),
        },
      }),
      handle: async () => textReply("application/json", await text()),
    }),
  ];
}
