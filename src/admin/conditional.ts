import type { RequestHeaders } from "./incoming.ts";
import { RequestError } from "./request-error.ts";

/** The entity tag of a revision (RFC 9110 §8.8.3). */
export function entityTag(revision: number): string {
  return `"${revision}"`;
}

/** Whether the entity tags of a header name this one; `*` names any that is there. */
export function namesTag(header: string, tag: string | null): boolean {
  if (header.trim() === "*") return tag !== null;
  // Weak ones are compared by what they stand for: what is stored has one form only.
  return header.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
}

/**
 * Holds `If-Match` and `If-None-Match` of a change against what is there.
 *
 * @param revision Of what is there now; null for nothing.
 * @throws RequestError `precondition_failed`.
 */
export function requirePrecondition(headers: RequestHeaders, revision: number | null): void {
  const tag = revision === null ? null : entityTag(revision);
  const now = tag === null ? "it is not there" : `it is ${tag} now`;
  const match = headers.get("if-match") ?? null;
  if (match !== null && !namesTag(match, tag)) {
    throw new RequestError("precondition_failed", `If-Match names another version: ${now}`);
  }
  const noneMatch = headers.get("if-none-match") ?? null;
  if (noneMatch !== null && namesTag(noneMatch, tag)) {
    throw new RequestError("precondition_failed", `If-None-Match excludes this version: ${now}`);
  }
}

/** Whether a GET's sender has this version already (RFC 9110 §13.1.2). */
export function isKnownToSender(headers: RequestHeaders, revision: number): boolean {
  const header = headers.get("if-none-match") ?? null;
  return header !== null && namesTag(header, entityTag(revision));
}
