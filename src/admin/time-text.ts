const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** The words that complete "expected …" where a text is no time. */
export const expectedTime =
  "a time: ISO 8601 as 2026-11-30T12:00:00Z, epoch milliseconds, or time ago as -15m (s, m, h, d, w)";

/**
 * A time as people and programs write it, in epoch ms; null for a text that is none.
 *
 * A date and time without a zone is UTC: what a server's own zone is, the caller does not know.
 */
export function readTime(text: string, now: number): number | null {
  const ago = /^-(\d{1,9})([smhdw])$/.exec(text);
  if (ago !== null) return now - Number(ago[1]) * (unitsMs[ago[2] as string] as number);
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const iso = /^\d{4}-\d\d-\d\d(?:(T\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i.exec(text);
  if (iso === null) return null;
  const hasNoZone = iso[1] !== undefined && iso[2] === undefined;
  const time = Date.parse(hasNoZone ? `${text}Z` : text);
  return Number.isNaN(time) ? null : time;
}
