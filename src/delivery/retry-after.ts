const delaySeconds = /^\d+(?:\.\d+)?$/;
const httpDate = /^[A-Za-z]{3,9},? .*\d$|GMT$/;
const asctime = /^[A-Za-z]{3} [A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/**
 * Milliseconds that a Retry-After header asks to wait, not limited in any way; null when the header is
 * absent or unreadable. A date in the past is 0.
 *
 * Seconds or one of the three HTTP dates (RFC 9110 §10.2.3 and §5.6.7). Fractions of seconds are not in
 * the RFC, but receivers send them.
 *
 * @param now Wall clock, epoch ms.
 */
export function parseRetryAfter(value: string | null | undefined, now: number): number | null {
  if (value === null || value === undefined) return null;
  // No date or number of seconds takes as much room.
  if (value.length > 100) return null;
  const text = value.trim();
  if (delaySeconds.test(text)) return Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(Number(text) * 1000));
  if (!httpDate.test(text)) return null;
  // Date.parse would read an asctime date as local time.
  const date = Date.parse(asctime.test(text) ? `${text} GMT` : text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
