import * as v from "valibot";
import type { StatedError } from "../description.ts";
import { problemOf, type ProblemCode } from "../problem.ts";
import type { Route } from "../route.ts";
import type { JsonSchema } from "../parameter-kind.ts";
import { jsonSchemaOf } from "./json-schema.ts";

/** An error's answer (RFC 9457). */
export const problemSchema = v.pipe(
  v.looseObject({
    type: v.pipe(v.string(), v.description("`urn:hookline:problem:` and the code.")),
    title: v.pipe(v.string(), v.description("The same for every error of this code.")),
    status: v.pipe(v.number(), v.integer()),
    code: v.pipe(v.string(), v.description("What a program tells errors apart by.")),
    detail: v.pipe(v.string(), v.description("What is wrong with this request, and what to do.")),
  }),
  v.description("An error; some have members beside these, which their detail names."),
);

/** The codes that follow from how a route is declared. */
export function impliedCodes({ access, body, query }: Route): ProblemCode[] {
  const codes: ProblemCode[] = ["bad_query", "foreign_origin"];
  if (access !== "open") codes.push("unauthorized", "forbidden");
  if (access === "token") codes.push("token_not_configured");
  if ("cursor" in query) codes.push("bad_cursor");
  if (body !== undefined) codes.push(...bodyCodes);
  return codes;
}

const bodyCodes: readonly ProblemCode[] = [
  "empty_body",
  "invalid_utf8",
  "invalid_json",
  "invalid_body",
  "body_incomplete",
  "body_timeout",
  "body_too_large",
  "unsupported_media_type",
];

/** The error answers of a route, by status. */
export function problemResponses(route: Route, stated: readonly StatedError[]): Record<string, unknown> {
  const byStatus = new Map<number, Set<ProblemCode>>();
  for (const one of [...stated, ...impliedCodes(route)]) {
    const [code, status] = typeof one === "string" ? [one, problemOf(one).status] : one;
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, codes]) => [String(status), responseOf([...codes])]),
  );
}

function responseOf(codes: readonly ProblemCode[]): unknown {
  const description = codes.map((code) => `\`${code}\`: ${problemOf(code).title}.`).join(" ");
  const schema = {
    allOf: [
      { $ref: "#/components/schemas/Problem" },
      { type: "object", properties: { code: { enum: codes } }, required: ["code"] },
    ],
  };
  return { description, content: { "application/problem+json": { schema } } };
}

/** The schemas and responses that operations refer to. */
export function problemComponents(): { schemas: JsonSchema; responses: JsonSchema } {
  return {
    schemas: { Problem: jsonSchemaOf(problemSchema, "output") },
    responses: {
      Problem: {
        description:
          "Any request may also be refused as no HTTP (400), too slow (408) or with too large headers (431), and meet a bug (500).",
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}
