/**
 * A JSON answer.
 *
 * @param value Its texts are already masked where they could hold a secret.
 */
export function jsonResponse(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json" } });
}

/** Epoch ms as ISO 8601; null for null, and for what is no time that can be written. */
export function isoTime(epochMs: number | null): string | null {
  if (epochMs === null) return null;
  const date = new Date(epochMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
