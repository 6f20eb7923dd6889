import type { Clock } from "../../../clock.ts";
import type { NewJob } from "../../driver.ts";

/** Dedup keys of one queue, each remembered for the same time. */
export interface DedupWindow {
  /** What stands under this key now; undefined when it was never used or its time is over. */
  find(key: string): { readonly id: string; readonly fingerprint: string } | undefined;
  /** `ageMs` is how long ago it was used, 0 when not given; the oldest must be remembered first. */
  remember(dedup: NonNullable<NewJob["dedup"]>, id: string, ageMs?: number): void;
  readonly size: number;
}

interface Remembered {
  readonly id: string;
  readonly fingerprint: string;
  readonly expiresAt: number;
}

/** About 250 bytes each: the window is shortened rather than the process ended when keys come faster. */
const mostKeys = 500_000;

/**
 * A window over the last `ttlMs`, at most 500,000 keys; beyond that the oldest are forgotten early.
 *
 * A Map keeps the order of insertion and all keys live equally long, so that the oldest are always in
 * front and forgetting costs constant time per key. No timer: each write forgets what is over.
 */
export function createDedupWindow(ttlMs: number, clock: Clock): DedupWindow {
  const keys = new Map<string, Remembered>();

  const forget = (): void => {
    const now = clock.monotonic();
    for (const [key, { expiresAt }] of keys) {
      if (expiresAt > now && keys.size <= mostKeys) return;
      keys.delete(key);
    }
  };

  return {
    get size() {
      return keys.size;
    },
    find(key) {
      const found = keys.get(key);
      return found !== undefined && found.expiresAt > clock.monotonic() ? found : undefined;
    },
    remember({ key, fingerprint }, id, ageMs = 0) {
      // Deleted first, so that a key used again moves to the back.
      keys.delete(key);
      keys.set(key, { id, fingerprint, expiresAt: clock.monotonic() + ttlMs - ageMs });
      forget();
    },
  };
}
