import { checkLimit } from "./blame.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";
import { checkWebhookNames, type WebhookInput } from "./cross-names.ts";
import { checkUnique } from "./unique.ts";

type ReceiverInput = Omit<WebhookInput, "name" | "event_types" | "filter">;
type Path = readonly (string | number)[];

/** Apps, their webhooks and the named endpoints: what is there twice, missing, or said in two ways. */
export function checkApps(view: CrossView, findings: CrossFindings): void {
  const { input, config } = view;
  const apps = (input.apps ?? []).map((app) => app ?? {});
  const { issue, warn } = findings;
  checkUnique(
    apps.map(({ id }) => id),
    (index, earlier, id) => {
      issue(["apps", index, "id"], `"${id}" is the id of apps.${earlier} too; ids must be unique`);
    },
  );
  checkUnique(
    apps.map(({ key }) => key),
    (index, earlier) => {
      issue(["apps", index, "key"], `is the key of apps.${earlier} too; keys must be unique`);
    },
  );
  const keyOwners = new Map<string, string>();
  for (const [at, app] of apps.entries()) {
    const webhooks = (app.webhooks ?? []).map((webhook) => webhook ?? {});
    checkWebhookNames(at, webhooks, findings);
    for (const [index, webhook] of webhooks.entries()) {
      checkReceiver(["apps", at, "webhooks", index], webhook, view, findings, keyOwners);
    }
  }
  for (const [name, endpoint] of Object.entries(input.endpoints ?? {})) {
    checkReceiver(["endpoints", name], endpoint ?? { url: undefined }, view, findings, keyOwners);
  }
  const consumes = config.queue?.consume !== false && config.queue?.driver !== "none";
  if (consumes && (input.apps ?? []).length === 0 && Object.keys(input.endpoints ?? {}).length === 0) {
    warn("there are no apps and no endpoints: every job becomes a dead letter");
  }
}

function checkReceiver(
  path: Path,
  receiver: ReceiverInput,
  view: CrossView,
  findings: CrossFindings,
  keyOwners: Map<string, string>,
): void {
  checkRetry(path, receiver, view, findings);
  warnOfSigning(path, receiver, findings, keyOwners);
  const { concurrency } = receiver;
  const limit = view.config.webhooks?.max_in_flight;
  if (typeof concurrency === "number" && limit !== undefined) {
    const own = [...path, "concurrency"];
    const shared = ["webhooks", "max_in_flight"];
    checkLimit(
      { path: own, value: concurrency, source: view.sourceOf(own.map(String)) },
      { path: shared, value: limit, source: view.sourceOf(shared) },
      findings.issue,
    );
  }
}

function checkRetry(path: Path, receiver: ReceiverInput, view: CrossView, { issue }: CrossFindings): void {
  const own = receiver.retry;
  const shared = view.config.webhooks?.retry;
  if (own === undefined || Object.keys(own).length === 0) return;
  checkRetryPolicy([...path, "retry"], own, { ...shared, ...own }, view, issue);
}

/** `webhooks.retry`, or a webhook's own over it; an issue names a key that is set here. */
export function checkRetryPolicy(
  path: Path,
  own: NonNullable<ReceiverInput["retry"]>,
  effective: NonNullable<ReceiverInput["retry"]>,
  view: CrossView,
  issue: CrossFindings["issue"],
): void {
  /** Where a key that counts here was set: here, or for all. */
  const part = (key: "initial_backoff_ms" | "max_backoff_ms", value: number) => {
    const keyPath = key in own ? [...path, key] : ["webhooks", "retry", key];
    return { path: keyPath, value, source: view.sourceOf(keyPath.map(String)) };
  };
  const { initial_backoff_ms: first, max_backoff_ms: longest } = effective;
  const isOwn = "initial_backoff_ms" in own || "max_backoff_ms" in own;
  if (isOwn && first !== undefined && longest !== undefined) {
    checkLimit(part("initial_backoff_ms", first), part("max_backoff_ms", longest), issue);
  }
  const retried = new Set(effective.retry_on ?? []);
  const both = (effective.dead_on ?? []).filter((status) => status !== undefined && retried.has(status));
  if (both.length > 0 && ("dead_on" in own || "retry_on" in own)) {
    const [key, other] = "dead_on" in own ? ["dead_on", "retry_on"] : ["retry_on", "dead_on"];
    issue(
      [...path, key],
      `${both.join(", ")}: stands in ${other in own ? "" : "webhooks.retry."}${other} too`,
    );
  }
}

function warnOfSigning(
  path: Path,
  receiver: ReceiverInput,
  { warn }: CrossFindings,
  keyOwners: Map<string, string>,
): void {
  const { signing, signing_keys: keys } = receiver;
  const owner = path.join(".");
  const isUnused =
    signing === "pusher" || signing === "none" || (signing === undefined && path[0] === "apps");
  if (isUnused && (keys?.length ?? 0) > 0) {
    warn(`${owner}.signing_keys are not used: signing is "${signing ?? "pusher"}"`);
  }
  if (path[0] === "endpoints" && signing === undefined && (keys?.length ?? 0) === 0) {
    warn(
      `${owner} has no signing_keys, so what it gets is not signed; give it some (hookline keys generate), or set signing to "none" to say so`,
    );
  }
  for (const entry of keys ?? []) {
    if (entry?.key === undefined) continue;
    const other = keyOwners.get(entry.key);
    if (other !== undefined && other !== owner) {
      warn(`${owner} and ${other} share a signing key; each receiver should have its own`);
    }
    keyOwners.set(entry.key, owner);
  }
}
