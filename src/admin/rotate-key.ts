import * as v from "valibot";
import { generateKeyPair, generateSymmetricKey } from "../delivery/signing-keys.ts";
import { settingsOf, type Settings } from "../stored/entry.ts";
import { changeWebhook, noSuchWebhook } from "./app-webhooks.ts";
import type { AdminDeps } from "./deps.ts";
import { answer, type RouteDescription } from "./description.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";
import { changeErrors, changeHeaders, rotationAnswer } from "./settings-description.ts";
import { changeEndpoint, namedParameter, noSuchEndpoint } from "./stored-endpoints.ts";

/** The old keys go on for so long where nothing is said. */
const usualGraceMs = 24 * 3_600_000;

const rotateBody = v.optional(
  v.strictObject({
    not_after: v.optional(
      v.pipe(
        v.string("expected a time as in 2027-01-31T00:00:00Z"),
        v.check(
          (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
          "expected a time as in 2027-01-31T00:00:00Z",
        ),
        v.description(
          "When the keys that are there are used no more (ISO 8601); a day from now where nothing is said.",
        ),
      ),
    ),
  }),
  {},
);

/**
 * POST …/rotate-key of a stored webhook or named endpoint: adds a Standard Webhooks key of the kind that the newest one
 * has, and gives those there are a `not_after`, in a day unless it is said. Deliveries carry a signature for each key
 * that still counts, so that the receiver can change over in between.
 *
 * The answer holds the new key, this once: for a symmetric one the receiver needs it, for an ed25519 one its public half.
 */
export function rotateKeyRoutes(deps: AdminDeps): Route[] {
  const options = {
    method: "POST",
    access: "token",
    reach: { queues: "none" },
    body: rotateBody,
  } as const;
  return [
    route({
      ...options,
      path: "/v1/apps/:app/webhooks/:name/rotate-key",
      about: () => aboutRotation("rotateWebhookKey", "bookshop", "orders"),
      handle: async (request, { body }) =>
        rotate(deps, request, (await body()).not_after, (make) =>
          changeWebhook(deps, request, false, (before, name) => {
            if (before === null) throw noSuchWebhook(deps, request, name);
            return make(before, "pusher");
          }),
        ),
    }),
    route({
      ...options,
      path: "/v1/endpoints/:app/:name/rotate-key",
      about: () => aboutRotation("rotateEndpointKey", "-", "billing"),
      handle: async (request, { body }) =>
        rotate(deps, request, (await body()).not_after, (make) =>
          changeEndpoint(deps, request, false, (before) => {
            if (before === null) throw noSuchEndpoint(deps, namedParameter(deps, request));
            return make(settingsOf(before), "standard");
          }),
        ),
    }),
  ];
}

function aboutRotation(id: string, app: string, name: string): RouteDescription<{ not_after?: string }> {
  return {
    id,
    summary: "Add a Standard Webhooks key and let the others run out",
    details:
      "Deliveries carry a signature for each key that still counts, so that the receiver can change over in between.",
    headers: changeHeaders,
    answers: {
      200: answer("The new key is in use.", rotationAnswer(), {
        endpoint: `${app}/${name}`,
        key: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        public_key: null,
        previous_not_after: "2026-12-02T12:00:00.000Z",
      }),
    },
    errors: [
      ...changeErrors,
      "no_such_app",
      "unknown_endpoint",
      ...(app === "-" ? (["not_found"] as const) : []),
    ],
    example: { path: { app, name }, body: { not_after: "2026-12-08T00:00:00Z" } },
  };
}

type Make = (before: Settings, usualSigning: string) => Settings;

async function rotate(
  deps: AdminDeps,
  request: AdminRequest,
  given: string | undefined,
  change: (make: Make) => Promise<Reply>,
): Promise<Reply> {
  const notAfter = given ?? new Date(deps.clock.now() + usualGraceMs).toISOString();
  let made: { key: string; public_key: string | null } = { key: "", public_key: null };
  const reply = await change((before, usualSigning) => {
    const keys = (before["signing_keys"] ?? []) as { key: string; not_after?: string | null }[];
    made = createKey(keys[0]?.key.startsWith("whsk_") === true);
    const ends = (time: string | null | undefined): string =>
      typeof time === "string" && Date.parse(time) < Date.parse(notAfter) ? time : notAfter;
    const signing = before["signing"] ?? (keys.length > 0 ? "standard" : usualSigning);
    return {
      ...before,
      // What signed in another way goes on doing so beside it.
      signing: signing === "pusher" ? "both" : signing === "none" ? "standard" : signing,
      signing_keys: [{ key: made.key }, ...keys.map((key) => ({ ...key, not_after: ends(key.not_after) }))],
    };
  });
  const { etag } = reply.headers;
  return jsonReply(
    {
      endpoint: [pathParameter(request, "app"), pathParameter(request, "name")].join("/"),
      ...made,
      previous_not_after: notAfter,
    },
    200,
    etag === undefined ? {} : { etag },
  );
}

function createKey(isPair: boolean): { key: string; public_key: string | null } {
  if (!isPair) return { key: generateSymmetricKey(), public_key: null };
  const { secretKey, publicKey } = generateKeyPair();
  return { key: secretKey, public_key: publicKey };
}
