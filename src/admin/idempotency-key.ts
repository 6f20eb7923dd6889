import type { RequestHeaders } from "./incoming.ts";
import { RequestError } from "./request-error.ts";

/**
 * The request's Idempotency-Key; null when it has none.
 *
 * @throws RequestError `invalid_idempotency_key` for one that is not 1 to 255 visible ASCII characters.
 */
export function idempotencyKey(headers: RequestHeaders): string | null {
  const key = headers.get("idempotency-key") ?? null;
  if (key === null || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new RequestError(
    "invalid_idempotency_key",
    "Idempotency-Key: expected 1 to 255 visible ASCII characters without spaces",
  );
}
