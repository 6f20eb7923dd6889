import { isObject } from "../config/layers.ts";
import type { Settings } from "./entry.ts";

/** RFC 7396: the members of a patch replace those of the target, null removes, objects merge. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(Object.hasOwn(merged, key) ? merged[key] : undefined, value);
  }
  return merged;
}

const mask = "***";

/** Paths of the texts that hold the mask of a secret: what an answer showed, sent back. */
export function maskedPaths(value: unknown, path: readonly string[] = []): string[] {
  if (typeof value === "string") return value.includes(mask) ? [path.join(".")] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => maskedPaths(child, [...path, key]));
}

/** The members of an app that hold secrets. */
const secretsOfApp = ["key", "secret", "previous_secrets"];
/** And those of a webhook or endpoint; `url` is one because its path is. */
const secretsOfReceiver = ["headers", "signing_keys", "proxy"];
const targets = ["url", "lambda", "lambda_function"];

/** What replaces an app, with the secrets that it leaves out taken over from what it replaces; webhooks by name. */
export function keepAppSecrets(before: Settings, after: Settings): Settings {
  const kept = take(secretsOfApp, before, after);
  const { webhooks } = after;
  if (!Array.isArray(webhooks)) return kept;
  const old = (Array.isArray(before["webhooks"]) ? before["webhooks"] : []) as Settings[];
  return {
    ...kept,
    webhooks: webhooks.map((webhook: unknown) => {
      if (!isObject(webhook)) return webhook;
      const same = old.find(({ name }) => name === webhook["name"]);
      return same === undefined ? webhook : keepReceiverSecrets(same, webhook);
    }),
  };
}

/** The same for a webhook or a named endpoint. */
export function keepReceiverSecrets(before: Settings, after: Settings): Settings {
  const kept: Record<string, unknown> = { ...take(secretsOfReceiver, before, after) };
  // Where nothing says where it goes, it goes where it went.
  if (!targets.some((key) => key in after)) Object.assign(kept, take(targets, before, after));
  keepInside(kept, "tls", ["key"], before, after);
  keepInside(kept, "lambda", ["client_options"], before, after);
  return kept;
}

function keepInside(
  kept: Record<string, unknown>,
  key: string,
  names: readonly string[],
  before: Settings,
  after: Settings,
): void {
  const [old, given] = [before[key], after[key]];
  if (isObject(old) && isObject(given)) kept[key] = take(names, old, given);
}

function take(names: readonly string[], before: Settings, after: Settings): Settings {
  const left = names.filter((name) => !(name in after) && name in before);
  return left.length === 0
    ? after
    : { ...after, ...Object.fromEntries(left.map((name) => [name, before[name]])) };
}
