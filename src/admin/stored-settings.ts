import { isObject } from "../config/layers.ts";
import type { ReceiverIssue } from "../config/receiver-check.ts";
import { quote } from "../secrets/masked-start.ts";
import { redactConfig } from "../secrets/redacted-config.ts";
import { recordLimits } from "../queue/records.ts";
import { recordKey, type Settings, type StoredEntry, type StoredKind } from "../stored/entry.ts";
import { maskedPaths } from "../stored/merge.ts";
import type { Config } from "../config/schema.ts";
import type { AdminDeps } from "./deps.ts";
import { entityTag } from "./conditional.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { parseJsonBody, readJsonText } from "./request.ts";
import { requireOpenDriver } from "./queues.ts";
import { RequestError } from "./request-error.ts";
import type { AdminRequest } from "./route.ts";

/** Members that an answer has beside the settings, and that may be sent back. */
const shownOnly = ["source", "revision"];

/**
 * The settings in a request's body.
 *
 * @throws RequestError `masked_value` for a secret's mask that an answer showed and that is sent back.
 */
export async function readSettings(deps: AdminDeps, request: AdminRequest): Promise<Settings> {
  const types = ["application/json", ...(request.method === "PATCH" ? ["application/merge-patch+json"] : [])];
  const text = await readJsonText(request, deps.live.config.server.max_body_bytes, types);
  const value = parseJsonBody(text);
  if (!isObject(value)) throw invalidSettings([{ path: "", message: "expected an object, as in { … }" }]);
  const masked = maskedPaths(value);
  if (masked.length > 0) {
    throw new RequestError(
      "masked_value",
      `${masked.join(", ")}: *** stands for a secret that is not shown; leave it out to keep it, or send the new one`,
      {},
      null,
      { errors: masked.map((path) => ({ path, message: "is the mask of a secret" })) },
    );
  }
  return Object.fromEntries(Object.entries(value).filter(([key]) => !shownOnly.includes(key)));
}

/** The refusal that lists everything that is wrong. */
export function invalidSettings(issues: readonly ReceiverIssue[]): RequestError {
  const lines = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return new RequestError("invalid_settings", lines.slice(0, 10).join("; "), {}, null, { errors: issues });
}

/** Refuses early what cannot be stored here at all; 503 while the driver is not open. */
export function requireStore(deps: AdminDeps): void {
  const refusal = deps.stored.refusal();
  if (refusal !== null) throw refusal;
  requireOpenDriver(deps);
}

/** @throws RequestError `invalid_settings` for what would not fit. */
export function requireSize(settings: Settings): void {
  if (JSON.stringify(settings).length > recordLimits.value / 2) {
    throw invalidSettings([
      { path: "", message: `is larger than ${recordLimits.value / 2} characters of JSON` },
    ]);
  }
}

/** @throws RequestError `defined_in_file`. */
export function definedInFile(deps: AdminDeps, what: string, name: string): RequestError {
  return new RequestError(
    "defined_in_file",
    `the configuration defines ${what} ${quote(deps.mask, name)}: change it there, and reload`,
  );
}

/** Settings as they are shown: secrets masked. */
export function shownSettings(kind: StoredKind, name: string, settings: unknown): Record<string, unknown> {
  const part = kind === "app" ? { apps: [settings] } : { endpoints: { [name]: settings } };
  const shown = redactConfig(part as unknown as Config) as {
    apps?: Record<string, unknown>[];
    endpoints?: Record<string, Record<string, unknown>>;
  };
  return shown.apps?.[0] ?? shown.endpoints?.[name] ?? {};
}

/** The answer to a change: what is stored now, with its entity tag. */
export function storedReply(entry: StoredEntry, shown: Record<string, unknown>, status = 200): Reply {
  return jsonReply(shown, status, { etag: entityTag(entry.revision) });
}

/** @throws RequestError for an entry that cannot be read: nothing can be merged into it. */
export function requireReadable(entry: StoredEntry | null): void {
  if (entry === null || entry.text !== null) return;
  throw new RequestError(
    "stored_unreadable",
    entry.trouble?.why === "missing_key"
      ? `${recordKey(entry.kind, entry.name)} is encrypted with the key ${entry.trouble.keyId}, which is not configured here`
      : `${recordKey(entry.kind, entry.name)} cannot be read: replace it with a PUT of all its settings`,
  );
}
