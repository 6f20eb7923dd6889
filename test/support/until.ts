/**
 * Resolves with the condition's first truthy value; throws when the deadline passes first.
 *
 * Tests wait for what they claim, never for an amount of time. The end is generous, because the machine may be
 * busy: it is there to end a test that fails, not to measure one that works.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { timeoutMs?: number; everyMs?: number; what?: string } = {},
): Promise<NonNullable<T>> {
  const { timeoutMs = 60_000, everyMs = 5, what = "the condition" } = options;
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what} in vain`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
