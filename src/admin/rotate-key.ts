import * as v from "valibot";
import { generateKeyPair, generateSymmetricKey } from "../delivery/signing-keys.ts";
import { settingsOf, type Settings } from "../stored/entry.ts";
import { changeWebhook, noSuchWebhook } from "./app-webhooks.ts";
import type { AdminDeps } from "./deps.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { parseJsonBody, readJsonText } from "./request.ts";
import { pathParameter, route, type AdminRequest, type Route } from "./route.ts";
import { changeEndpoint, namedParameter, noSuchEndpoint } from "./stored-endpoints.ts";
import { validate } from "./validate.ts";

/** The old keys go on for so long where nothing is said. */
const usualGraceMs = 24 * 3_600_000;

const rotateBody = v.strictObject({
  not_after: v.optional(
    v.pipe(
      v.string("expected a time as in 2027-01-31T00:00:00Z"),
      v.check(
        (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
        "expected a time as in 2027-01-31T00:00:00Z",
      ),
    ),
  ),
});

/**
 * POST …/rotate-key of a stored webhook or named endpoint: adds a Standard Webhooks key of the kind that the newest one
 * has, and gives those there are a `not_after`, in a day unless it is said. Deliveries carry a signature for each key
 * that still counts, so that the receiver can change over in between.
 *
 * The answer holds the new key, this once: for a symmetric one the receiver needs it, for an ed25519 one its public half.
 */
export function rotateKeyRoutes(deps: AdminDeps): Route[] {
  const options = { method: "POST", access: "token", reach: { queues: "none" } } as const;
  return [
    route({
      ...options,
      path: "/v1/apps/:app/webhooks/:name/rotate-key",
      handle: (request) =>
        rotate(deps, request, (make) =>
          changeWebhook(deps, request, false, (before, name) => {
            if (before === null) throw noSuchWebhook(deps, request, name);
            return make(before, "pusher");
          }),
        ),
    }),
    route({
      ...options,
      path: "/v1/endpoints/:app/:name/rotate-key",
      handle: (request) =>
        rotate(deps, request, (make) =>
          changeEndpoint(deps, request, false, (before) => {
            if (before === null) throw noSuchEndpoint(deps, namedParameter(deps, request));
            return make(settingsOf(before), "standard");
          }),
        ),
    }),
  ];
}

type Make = (before: Settings, usualSigning: string) => Settings;

async function rotate(
  deps: AdminDeps,
  request: AdminRequest,
  change: (make: Make) => Promise<Reply>,
): Promise<Reply> {
  const { not_after: given } = await readBody(deps, request);
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

async function readBody(deps: AdminDeps, request: AdminRequest): Promise<v.InferOutput<typeof rotateBody>> {
  const { headers } = request;
  const isEmpty =
    (headers.get("content-length") ?? "0") === "0" && (headers.get("transfer-encoding") ?? null) === null;
  if (isEmpty) return {};
  const text = await readJsonText(request, deps.live.config.server.max_body_bytes);
  return validate(rotateBody, parseJsonBody(text), "invalid_body");
}

function createKey(isPair: boolean): { key: string; public_key: string | null } {
  if (!isPair) return { key: generateSymmetricKey(), public_key: null };
  const { secretKey, publicKey } = generateKeyPair();
  return { key: secretKey, public_key: publicKey };
}
