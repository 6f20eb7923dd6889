import type { StoredRecord } from "../queue/records.ts";
import type { Cipher } from "./cipher.ts";

/** What the API stores: apps, and named endpoints. */
export type StoredKind = "app" | "endpoint";

/** Settings as they were sent, without defaults: what a file could hold. */
export type Settings = Readonly<Record<string, unknown>>;

/** Why a record cannot be used here. */
export type Trouble =
  /** It is sealed with a key that is configured here as none. */
  | { readonly why: "missing_key"; readonly keyId: string }
  /** Its bytes are damaged, or a newer version wrote it. */
  | { readonly why: "unreadable"; readonly detail: string };

/** A stored app or endpoint as this process has it. */
export interface StoredEntry {
  readonly kind: StoredKind;
  /** The app's id, the endpoint's name. */
  readonly name: string;
  readonly revision: number;
  /** The settings' JSON; null where they cannot be read. Kept as text: of many apps few are looked at. */
  readonly text: string | null;
  readonly trouble: Trouble | null;
  /** The app's key; null for endpoints and where it cannot be read. */
  readonly key: string | null;
  /** How many endpoints it has. */
  readonly endpoints: number;
}

/** The key of a record, which its bytes are sealed for as well. */
export function recordKey(kind: StoredKind, name: string): string {
  return `${kind}:${name}`;
}

/** Kind and name of a record's key; null for one that a newer version may have written. */
export function readRecordKey(key: string): { readonly kind: StoredKind; readonly name: string } | null {
  const colon = key.indexOf(":");
  const kind = key.slice(0, colon);
  const name = key.slice(colon + 1);
  return (kind === "app" || kind === "endpoint") && name !== "" ? { kind, name } : null;
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** The bytes of a record. @param cipher Null where nothing outlives the process. */
export function writeEntry(cipher: Cipher | null, key: string, settings: Settings): Uint8Array {
  const text = JSON.stringify(settings);
  return cipher === null ? encoder.encode(text) : cipher.seal(key, text);
}

/** A record as an entry, whatever state it is in; null where it was removed, or is of no kind that is known here. */
export function readEntry(
  cipher: Pick<Cipher, "open"> | null,
  { key, revision, value }: StoredRecord,
): StoredEntry | null {
  const named = readRecordKey(key);
  if (named === null || value === null) return null;
  const failed = (trouble: Trouble): StoredEntry => ({
    ...named,
    revision,
    text: null,
    trouble,
    key: null,
    endpoints: 0,
  });
  let text: string;
  if (cipher === null) text = decoder.decode(value);
  else {
    const opened = cipher.open(key, value);
    if (!opened.ok) {
      return failed(
        opened.why === "missing_key"
          ? { why: "missing_key", keyId: opened.keyId }
          : { why: "unreadable", detail: "its bytes are not those that were written" },
      );
    }
    text = opened.text;
  }
  try {
    const settings = JSON.parse(text) as { key?: unknown; webhooks?: unknown };
    const { key: own, webhooks } = settings;
    const isApp = named.kind === "app";
    return {
      ...named,
      revision,
      text,
      trouble: null,
      key: isApp && typeof own === "string" ? own : null,
      endpoints: isApp ? (Array.isArray(webhooks) ? webhooks.length : 0) : 1,
    };
  } catch {
    return failed({ why: "unreadable", detail: "it is no JSON" });
  }
}

/** The settings of an entry that can be read. */
export function settingsOf({ text }: StoredEntry): Settings {
  if (text === null) throw new Error("a stored record that cannot be read has no settings");
  return JSON.parse(text) as Settings;
}
