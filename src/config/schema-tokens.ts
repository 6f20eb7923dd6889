import * as v from "valibot";
import { choice, secretValue, textLike } from "./kinds.ts";

/** A bearer token: what a header takes without quotes. */
export const bearerToken = (description: string) =>
  v.pipe(textLike(/^[\x21-\x7e]+$/, "visible ASCII without spaces", description), v.metadata(secretValue));

const names = (what: string) =>
  v.optional(
    v.nullable(
      v.pipe(
        v.array(
          textLike(/^[\x21-\x2e\x30-\x7e]{1,128}$/, `the ${what}, without /`, `A ${what}.`),
          `an array of ${what}s`,
        ),
        v.minLength(1, `at least one ${what}, or null for all`),
      ),
    ),
    null,
  );

/** One of `server.tokens`. */
export const tokenSchema = v.strictObject({
  name: textLike(
    /^[A-Za-z0-9._-]{1,64}$/,
    "a name of 1 to 64 letters, digits, . _ and -",
    "Stands in the log beside what the token's holder changed; unique.",
  ),
  token: bearerToken("What is sent as Authorization: Bearer …; unique."),
  scope: choice(
    ["read", "enqueue", "operate"],
    "read: every GET, and dry runs. enqueue: jobs and events only. operate: everything.",
  ),
  apps: v.pipe(
    names("id of an app"),
    v.description('Apps that it may name; "-" stands for the named endpoints; null = all.'),
  ),
  queues: v.pipe(names("name of a queue"), v.description("Queues that it may name; null = all.")),
});

export type TokenConfig = v.InferOutput<typeof tokenSchema>;

/** The name under which `server.token` stands beside `server.tokens`. */
export const defaultTokenName = "default";
