/** How often a child may be restarted before its parent gives up (as OTP's restart intensity). */
export interface IntensityOptions {
  /** Restarts allowed within the window; one more gives up. */
  readonly maxRestarts: number;
  readonly withinMs: number;
}

/**
 * Counts the restarts of one child in a sliding window.
 *
 * Eight in a minute (the defaults) lets a child that crashes at once live for about sixteen seconds of
 * doubling delays: long enough for a backend's hiccup, short enough that a bug ends the process and
 * the platform sees it.
 */
export function createIntensity(options: IntensityOptions) {
  let times: number[] = [];
  return {
    /**
     * Records one restart at `now` (monotonic ms).
     *
     * @returns False when this one is past the limit: do not restart, give up.
     */
    allows(now: number): boolean {
      times = times.filter((time) => now - time < options.withinMs);
      if (times.length >= options.maxRestarts) return false;
      times.push(now);
      return true;
    },
  };
}
