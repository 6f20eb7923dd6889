import * as v from "valibot";
import type { Directory } from "../delivery/endpoint.ts";
import { publicJwk, type PublicJwk } from "../delivery/signing-keys.ts";
import { createMemo } from "../memo.ts";
import { text } from "./answer-kinds.ts";
import type { AdminDeps } from "./deps.ts";
import { textReply } from "./reply.ts";
import { route, type Route } from "./route.ts";

const contentType = "application/jwk-set+json";

/** Receivers take signatures for so long after they were made (Standard Webhooks: 5 minutes). */
const toleranceMs = 300_000;

/**
 * GET /.well-known/hookline-keys: the public ed25519 keys that deliveries are signed with, as a JWK Set
 * (RFC 7517, RFC 8037), for receivers that check `v1a` signatures. Needs no token.
 *
 * Nothing says which key is whose: names of apps and endpoints are nobody else's business, and sorting by
 * `kid` hides what was configured together. A key is listed until nobody may accept its signatures any more.
 */
export function wellKnownRoutes(deps: AdminDeps): Route[] {
  const keysOf = createMemo(({ endpoints }: Directory) =>
    endpoints
      .flatMap((endpoint) => endpoint.standardKeys ?? [])
      .flatMap(({ key, notAfter }) =>
        key.version === "v1a" ? [{ jwk: publicJwk(key.publicKey), notAfter }] : [],
      ),
  );
  return [
    route({
      method: "GET",
      path: "/.well-known/hookline-keys",
      access: "open",
      about: () => ({
        id: "getPublicKeys",
        summary: "Show the public keys of v1a signatures, as a JWK Set",
        answers: {
          200: {
            text: "The keys; one is listed until nobody may accept its signatures any more.",
            schema: v.object({
              keys: v.array(
                v.object({
                  kty: v.literal("OKP"),
                  crv: v.literal("Ed25519"),
                  x: text("The public key, base64url."),
                  kid: v.string(),
                  use: v.literal("sig"),
                  alg: v.literal("EdDSA"),
                }),
              ),
            }),
            contentType,
            example: {
              keys: [
                {
                  kty: "OKP",
                  crv: "Ed25519",
                  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                  kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                  use: "sig",
                  alg: "EdDSA",
                },
              ],
            },
          },
        },
      }),
      handle() {
        const now = deps.clock.now();
        const current = new Map<string, PublicJwk>();
        for (const { jwk, notAfter } of keysOf(deps.live.directory)) {
          if (notAfter === null || notAfter + toleranceMs > now) current.set(jwk.kid, jwk);
        }
        const sorted = [...current.values()].sort((a, b) => (a.kid < b.kid ? -1 : 1));
        return textReply(contentType, JSON.stringify({ keys: sorted }), 200, {
          "cache-control": "public, max-age=300",
        });
      },
    }),
  ];
}
