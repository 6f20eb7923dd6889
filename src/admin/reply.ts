/** What a route answers; the edge (server.ts) adds what all answers carry. */
export interface Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null for an answer without one, as 204 is. */
  readonly body: string | null;
}

/**
 * A JSON answer.
 *
 * @param value Its texts are already masked where they could hold a secret.
 * @param headers Further ones, names in lower case.
 */
export function jsonReply(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return textReply("application/json", JSON.stringify(value), status, headers);
}

/** An answer of any media type. */
export function textReply(
  contentType: string,
  body: string,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return { status, headers: { "content-type": contentType, ...headers }, body };
}

/** Epoch ms as ISO 8601; null for null, and for what is no time that can be written. */
export function isoTime(epochMs: number | null): string | null {
  if (epochMs === null) return null;
  const date = new Date(epochMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
