/** Most jobs in one script call: a call of that size holds Redis up for a few milliseconds. */
export const maxBatch = 500;

/** Most bytes of bodies in one script call; a single larger body goes alone. */
export const maxCallBytes = 4 * 1024 * 1024;

/** Largest body that enqueue takes. Producers may push larger ones (Redis: 512 MB). */
export const maxPayloadBytes = 16 * 1024 * 1024;

/** Longest delay at enqueue: a year. */
export const maxDelayMs = 365 * 24 * 60 * 60 * 1_000;

/** Splits into runs of at most `maxBatch` items and `maxCallBytes` bytes, in order. */
export function chunk<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const chunks: T[][] = [];
  let current: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    if (current.length > 0 && (current.length >= maxBatch || bytes + size > maxCallBytes)) {
      chunks.push(current);
      current = [];
      bytes = 0;
    }
    current.push(item);
    bytes += size;
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}
