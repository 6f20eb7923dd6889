import * as v from "valibot";
import { appSchema, endpointEntries, webhookEntries } from "../config/schema-apps.ts";
import { text } from "./answer-kinds.ts";
import type { BodySchema } from "./route.ts";
import { answer, emptyAnswer, type Answer, type StatedError } from "./description.ts";

/**
 * What is said of the routes that store apps, webhooks and named endpoints. Their bodies are checked as the
 * configuration's own (receiver-check.ts), by the same entries that are shown here.
 */

/** Members that an answer has beside the settings, and that may be sent back. */
const shown = { source: v.optional(v.string()), revision: v.optional(v.nullable(v.number())) };

const keptSecrets = "Secrets that are left out stay as they are.";

/** Bodies of PUT: what stands in the path may be left out, and so may secrets that are stored already. */
export const appBody = v.pipe(
  v.partial(v.strictObject({ ...appSchema.entries, ...shown })),
  v.description(`An app as in \`apps\` of the configuration. ${keptSecrets}`),
);
export const webhookBody = v.pipe(
  v.strictObject({ ...webhookEntries.entries, ...shown }),
  v.description(`A webhook as in \`apps\` of the configuration. ${keptSecrets}`),
);
export const endpointBody = v.pipe(
  v.strictObject({ name: v.optional(v.string()), ...endpointEntries.entries, ...shown }),
  v.description(`An endpoint as in \`endpoints\` of the configuration. ${keptSecrets}`),
);

/** The body of PATCH. */
export const patchBody = v.pipe(
  v.looseObject({}),
  v.description("A merge patch (RFC 7396) of the settings: null removes a member, what is left out stays."),
);

/** The body of a change, by its method. */
export function changeBody(method: "PUT" | "PATCH" | "DELETE", whole: v.GenericSchema): BodySchema {
  if (method === "DELETE") return undefined;
  return method === "PUT" ? whole : patchBody;
}

/** Headers of a change. */
export const changeHeaders = {
  "if-match": "Entity tag that must be the stored one's, or `*`: something is stored.",
  "if-none-match": "`*`: nothing is stored yet.",
} as const;

const etag = { etag: "Names the version that is stored." };

/** What may go wrong with every change. */
export const changeErrors: readonly StatedError[] = [
  "unsupported_by_driver",
  "encryption_key_missing",
  "driver_unavailable",
  "defined_in_file",
  "precondition_failed",
  "stored_unreadable",
  "invalid_settings",
  "masked_value",
];

const stored = {
  source: v.optional(v.pipe(v.picklist(["configuration", "api"]), v.description("Where it is defined."))),
  revision: v.optional(
    v.nullable(v.pipe(v.number(), v.description("Rises with each change; null in the file."))),
  ),
  dry_run: v.optional(v.literal(true)),
  unreadable: v.optional(v.pipe(v.looseObject({}), v.description("Why its settings cannot be shown here."))),
};

/** A stored app, or one of the configuration, as it is shown. */
export const appAnswer = () =>
  v.pipe(
    v.looseObject({ id: v.string(), ...stored }),
    v.description("Its settings, secrets as `***`, and where they come from."),
  );

export const appExample: v.InferInput<ReturnType<typeof appAnswer>> = {
  id: "bookshop",
  key: "***",
  secret: "***",
  webhooks: [{ name: "orders", url: "https://example.com/***", event_types: ["order.*"] }],
  source: "api",
  revision: 17,
};

export const endpointSettingsAnswer = () =>
  v.pipe(
    v.looseObject({ name: v.string(), ...stored }),
    v.description("Its settings, secrets as `***`, and where they come from."),
  );

export const endpointSettingsExample: v.InferInput<ReturnType<typeof endpointSettingsAnswer>> = {
  name: "billing",
  url: "https://example.com/***",
  source: "api",
  revision: 18,
};

/** The answers of a change, by its method. */
export function changeAnswers(
  method: "PUT" | "PATCH" | "DELETE",
  schema: v.GenericSchema,
  example: unknown,
): Record<number, Answer> {
  const gone = { 204: emptyAnswer("It is gone, or in a dry run would be.") };
  if (method === "DELETE") return gone;
  return {
    200: answer("It is stored, or in a dry run could be.", schema, example),
    ...(method === "PUT" ? { 201: answer("It is stored, and is new.", schema, example, etag) } : {}),
  };
}

/** The body and answers of a rotation. */
export const rotationAnswer = () =>
  v.object({
    endpoint: text("Label of the endpoint; `-/name` of a named one."),
    key: text("The new key, shown this once: for a symmetric one the receiver needs it."),
    public_key: v.nullable(text("What the receiver needs of an ed25519 one.")),
    previous_not_after: text("When the keys that were there are used no more."),
  });
