import * as v from "valibot";
import { compileChannelPattern } from "../delivery/channel-pattern.ts";
import { signingKeyProblem } from "../delivery/signing-keys.ts";
import { contradictions } from "./contradictions.ts";
import { unnamedWebhook } from "./endpoint-name.ts";
import {
  checkedText,
  choice,
  flag,
  milliseconds,
  receiverName,
  region,
  secretAnything,
  secretText,
  secretUrl,
  secretValue,
  text,
  textLike,
} from "./kinds.ts";
import { setting } from "./setting.ts";
import { eventTypeProblem } from "./event-type.ts";
import { headerValueProblem } from "./headers.ts";
import { tlsSchema } from "./tls.ts";
import { proxyUrl } from "./schema-egress.ts";
import { limitEntries } from "./schema-limits.ts";
import { contradictNamedEndpoint, contradictReceiver } from "./receiver-contradictions.ts";
import { ownRetrySchema } from "./schema-retry.ts";
import { isShowable } from "../secrets/showable.ts";
import { receiverUrlProblem } from "./urls.ts";

// AWS Lambda, Invoke, FunctionName: a name, a partial or a whole ARN, with a version or an alias.
const functionName = (description: string) =>
  textLike(/^[A-Za-z0-9_.:$-]{1,256}$/, "a Lambda function's name or ARN", description);

const lambdaSchema = v.strictObject({
  function_name: setting(functionName("Name or ARN of the function.")),
  region: setting(v.nullable(region("AWS region; null = queue.sqs.region.")), { default: null }),
  async: setting(flag("true: invoke as Event, without waiting for its end."), { default: false }),
  client_options: setting(v.record(v.string(), secretAnything, "an object"), { default: {} }),
});

const headersSchema = v.record(
  v.string(),
  v.pipe(checkedText("a string", headerValueProblem, "Value of a header."), v.metadata(secretValue)),
  "an object of header names and values",
);

const filterSchema = v.strictObject({
  channel_prefix: setting(text("What the channel's name must begin with.")),
  channel_suffix: setting(text("What the channel's name must end with.")),
  channel_pattern: setting(
    checkedText(
      "a regular expression",
      patternProblem,
      "Regular expression in RE2's syntax (no lookaround, no backreferences) for the first 256 characters of the channel's name.",
    ),
  ),
  channel_name_starts_with: setting(text("Soketi's name of channel_prefix.")),
  channel_name_ends_with: setting(text("Soketi's name of channel_suffix.")),
});

function patternProblem(pattern: string): string | null {
  try {
    compileChannelPattern(pattern);
    return null;
  } catch (error) {
    // The part of the pattern that is wrong stands at the end, in quotes: a sign or two, or all of it.
    const { message } = error as Error;
    const at = message.indexOf(`: ${message.at(-1)}`);
    const part = /[`"]$/.test(message) && at !== -1 ? message.slice(at + 3, -1) : null;
    const isShown = part === null || /^\W{1,8}$/.test(part) || isShowable(part);
    return `a regular expression (${isShown ? message : message.slice(0, at)})`;
  }
}

const signingKeySchema = v.strictObject({
  key: v.pipe(
    v.string("a whsec_ or whsk_ key"),
    v.check(
      (key) => signingKeyProblem(key) === null,
      (issue) => signingKeyProblem(issue.input) ?? "",
    ),
    v.description("whsec_… (HMAC-SHA256) or whsk_… (ed25519), as Standard Webhooks writes them."),
    v.metadata(secretValue),
  ),
  not_after: setting(
    v.nullable(
      checkedText(
        "a time as in 2027-01-31T00:00:00Z",
        (time) =>
          /^\d{4}-\d\d-\d\dT/.test(time) && !Number.isNaN(Date.parse(time))
            ? null
            : "a time as in 2027-01-31T00:00:00Z",
        "No longer used from this time on (ISO 8601).",
      ),
    ),
    { default: null },
  ),
});

const sharedEntries = {
  url: setting(
    v.pipe(
      checkedText("an http:// or https:// URL", receiverUrlProblem, "Where deliveries are POSTed to."),
      v.metadata(secretUrl),
    ),
  ),
  lambda_function: setting(functionName("Name or ARN of a Lambda function that is invoked instead.")),
  lambda: setting(lambdaSchema),
  headers: setting(headersSchema, { default: {} }),
  retry: setting(ownRetrySchema, { default: {} }),
  request_timeout_ms: setting(milliseconds(1, "As webhooks.request_timeout_ms, for this one.")),
  ...limitEntries,
  signing: setting(choice(["pusher", "standard", "both", "none"], "Signature headers.")),
  signing_keys: setting(v.array(signingKeySchema, "an array of signing keys"), { default: [] }),
  tls: setting(v.nullable(tlsSchema), { default: null }),
  proxy: setting(v.nullable(proxyUrl), { default: null }),
};

/** What a user writes of a named endpoint. */
export const endpointEntries = v.strictObject(sharedEntries);

/** What a user writes of a webhook. */
export const webhookEntries = v.strictObject({
  name: setting(
    receiverName('Unique in its app. One webhook of an app may be without; it is called "webhook".'),
  ),
  ...sharedEntries,
  event_types: v.pipe(
    v.array(
      checkedText("an event type", eventTypeProblem, "An event type, or a pattern."),
      "an array of event types",
    ),
    v.minLength(1, "at least one event type, since otherwise nothing is ever delivered"),
    v.description(
      "channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count, or others. * alone between dots stands for one segment, at the end for one or more.",
    ),
  ),
  filter: setting(filterSchema, { default: {} }),
});

/** Where it goes, in one spelling: Soketi's `lambda_function` beside `lambda` becomes `lambda.function_name`. */
function resolveTarget(from: v.InferOutput<typeof endpointEntries>) {
  const { url, lambda, lambda_function, ...rest } = from;
  const function_name = lambda?.function_name ?? lambda_function;
  const defaults = { region: null, async: false, client_options: {} };
  return {
    ...rest,
    url: url ?? null,
    lambda: function_name === undefined ? null : { ...defaults, ...lambda, function_name },
  };
}

const webhookSchema = v.pipe(
  webhookEntries,
  contradictions<v.InferOutput<typeof webhookEntries>>(contradictReceiver),
  v.transform(({ name, event_types, filter, ...shared }) => ({
    name: name ?? unnamedWebhook,
    event_types,
    filter,
    ...resolveTarget(shared),
    signing: shared.signing ?? ("pusher" as const),
  })),
);

const endpointSchema = v.pipe(
  endpointEntries,
  contradictions<v.InferOutput<typeof endpointEntries>>((endpoint, contradict) => {
    contradictReceiver(endpoint, contradict);
    contradictNamedEndpoint(endpoint, contradict);
  }),
  v.transform((shared) => ({
    ...resolveTarget(shared),
    signing: shared.signing ?? (shared.signing_keys.length > 0 ? ("standard" as const) : ("none" as const)),
  })),
);

function appIdProblem(id: string): string | null {
  if (!/^[\x21-\x2e\x30-\x7e]{1,128}$/.test(id)) return "1 to 128 visible ASCII characters without /";
  // The API could not name such an app: `-` is "no app" there, dot segments vanish from a URL.
  return /^(?:-|\.{1,2})$/.test(id)
    ? 'an id other than "-", "." and "..", which mean something else in /v1/endpoints/{app}/{name}'
    : null;
}

/** An app: key, secret and its webhooks. */
export const appSchema = v.strictObject({
  id: checkedText("1 to 128 visible ASCII characters without /", appIdProblem, "Unique id."),
  key: secretText("Public key, sent as x-pusher-key; unique."),
  secret: secretText("Signs deliveries."),
  previous_secrets: setting(
    v.pipe(
      v.array(secretText("An earlier secret."), "an array of secrets"),
      v.description("Still accepted in the check of Soketi's signatures."),
    ),
    { default: [] },
  ),
  accept: setting(
    v.pipe(
      v.array(choice(["soketi", "sockudo", "native"], "A form of job."), "an array of job forms"),
      v.minLength(1, "at least one job form"),
      v.description("Forms of job that this app takes."),
    ),
    { default: ["soketi", "sockudo", "native"] },
  ),
  webhooks: setting(v.array(webhookSchema, "an array of webhooks"), { default: [] }),
});

/** Named receivers for raw and generic jobs. */
export const endpointsSchema = v.pipe(
  v.record(receiverName("Name."), endpointSchema, "an object of endpoints by name"),
  v.description("Named receivers for raw and generic jobs."),
);

export type AppConfig = v.InferOutput<typeof appSchema>;
/** A webhook of an app; name, url, lambda and signing are resolved. */
export type WebhookConfig = v.InferOutput<typeof webhookSchema>;
/** A named receiver: as a webhook without name, event_types and filter. */
export type EndpointConfig = v.InferOutput<typeof endpointSchema>;
