import type { Directory } from "../delivery/endpoint.ts";
import type { Finding } from "../problems/finding.ts";
import type { BucketMap } from "./bucket-map.ts";
import { recordKey, type StoredEntry } from "./entry.ts";

/** What is known of the stored apps. */
export interface StoredState {
  readonly entries: BucketMap<StoredEntry>;
  /** Those of them that cannot be read. */
  readonly troubled: BucketMap<StoredEntry>;
  /** The configuration's own receivers. */
  readonly base: Directory;
  readonly fault: { readonly error: Error; readonly since: number } | null;
  readonly startedAt: number;
}

/** So many names stand in a detail. */
const mostNames = 5;

/** Stored apps and endpoints that need somebody. */
export function findTrouble(state: StoredState): Finding[] {
  const { troubled, fault, startedAt } = state;
  const findings: Finding[] = [];
  if (fault !== null) {
    findings.push({
      kind: "stored_apps_unreachable",
      object: "",
      since: fault.since,
      detail: `what the API stores cannot be read: ${fault.error.message}`.slice(0, 500),
    });
  }
  const missing = [...troubled.values()].filter(({ trouble }) => trouble?.why === "missing_key");
  const keyIds = new Set(
    missing.flatMap(({ trouble }) => (trouble?.why === "missing_key" ? [trouble.keyId] : [])),
  );
  if (missing.length > 0) {
    findings.push({
      kind: "encryption_key_missing",
      object: "",
      since: startedAt,
      detail: `${missing.length} stored: ${namesOf(missing)}; encrypted with ${[...keyIds].join(", ")}`,
    });
  }
  const unreadable = [...troubled.values()].filter(({ trouble }) => trouble?.why === "unreadable");
  if (unreadable.length > 0) {
    findings.push({
      kind: "stored_apps_unreadable",
      object: "",
      since: startedAt,
      detail: `${unreadable.length} stored: ${namesOf(unreadable)}`,
    });
  }
  const shadowed = findShadowed(state);
  if (shadowed.length > 0) {
    findings.push({
      kind: "stored_apps_shadowed",
      object: "",
      since: startedAt,
      detail: `the configuration defines what is stored too, and counts: ${namesOf(shadowed)}`,
    });
  }
  return findings;
}

/** Stored ones that the configuration defines too, or whose key is one of its apps'. */
export function findShadowed({ entries, base }: Pick<StoredState, "entries" | "base">): StoredEntry[] {
  const found = new Set<StoredEntry>();
  for (const app of base.apps) {
    const same = entries.get(recordKey("app", app.id));
    if (same !== undefined) found.add(same);
  }
  for (const { name } of base.named) {
    const same = entries.get(recordKey("endpoint", name));
    if (same !== undefined) found.add(same);
  }
  return [...found];
}

function namesOf(entries: readonly StoredEntry[]): string {
  const names = entries
    .slice(0, mostNames)
    .map(({ kind, name }) => (kind === "app" ? `app ${name}` : `endpoint ${name}`));
  const more = entries.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
