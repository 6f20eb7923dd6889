import { createMasker } from "./masker.ts";
import type { Secret } from "./url.ts";

/**
 * So many secrets that are in force no longer are masked yet: a receiver may take a rotated one for long, and
 * what was sent under it may still be logged.
 */
const mostFormer = 1_000;

/** Masks the secrets in force, and lately in force, in a text. */
export interface Mask {
  /** The text with `***` in the place of each secret; a text that is a name as a whole stays. */
  readonly mask: (text: string) => string;
  /** From now on these secrets are in force. */
  replace(secrets: readonly Secret[]): void;
}

/**
 * The mask of a process. It spares the configuration's own names: a log line whose endpoint is masked is of no use,
 * and names are no secrets.
 *
 * @param isName Whether the text as a whole names a queue, an app or an endpoint.
 */
export function createMask(secrets: readonly Secret[], isName: (text: string) => boolean): Mask {
  let current = secrets;
  /** The one that left last stands last. */
  const former = new Map<string, Secret>();
  let mask = createMasker(current);
  return {
    mask: (text) => (isName(text) ? text : mask(text)),
    replace(next) {
      for (const secret of current) {
        former.delete(keyOf(secret));
        former.set(keyOf(secret), secret);
      }
      current = next;
      for (const secret of current) former.delete(keyOf(secret));
      for (const key of former.keys()) {
        if (former.size <= mostFormer) break;
        former.delete(key);
      }
      mask = createMasker([...current, ...former.values()]);
    },
  };
}

function keyOf(secret: Secret): string {
  return typeof secret === "string" ? secret : JSON.stringify([secret.before, secret.secret]);
}
