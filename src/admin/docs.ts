import * as v from "valibot";
import { findTopic, topicNames, topics } from "../docs/topics.ts";
import { didYouMean } from "../suggest.ts";
import { answer } from "./description.ts";
import { jsonReply, textReply } from "./reply.ts";
import { RequestError } from "./request-error.ts";
import { pathParameter, route, type Route } from "./route.ts";

/**
 * GET /docs and /docs/{topic}: the pages that `hookline help page` prints, as Markdown, for the page at `/`.
 *
 * Anyone may read them: they are the same wherever this version runs.
 */
export function docsRoutes(): Route[] {
  return [
    route({
      method: "GET",
      path: "/docs",
      access: "open",
      about: () => ({
        id: "listDocs",
        summary: "List the pages of the documentation",
        answers: {
          200: answer(
            "The pages, in the order in which a newcomer reads them.",
            v.array(v.object({ name: v.string(), question: v.string() })),
            [{ name: "concepts", question: "what happens to a job, and what the words mean" }],
          ),
        },
      }),
      handle: () => jsonReply(topics.map(({ name, question }) => ({ name, question }))),
    }),
    route({
      method: "GET",
      path: "/docs/:topic",
      access: "open",
      about: () => ({
        id: "getDoc",
        summary: "Read a page of the documentation",
        details: "Links to other pages are relative, as `redis.md#tls`.",
        answers: {
          200: {
            text: "The page, as Markdown.",
            schema: v.string(),
            example: "# Concepts\n",
            contentType: "text/markdown",
          },
        },
        errors: ["not_found"],
        example: { path: { topic: "concepts" } },
      }),
      async handle(request) {
        const name = pathParameter(request, "topic");
        const topic = findTopic(name);
        if (topic === undefined) {
          throw new RequestError("not_found", `no page of that name${didYouMean(name, topicNames)}`);
        }
        return textReply("text/markdown; charset=utf-8", await topic.load());
      },
    }),
  ];
}
