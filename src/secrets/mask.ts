import { secretsOf } from "./collect.ts";
import { createMasker } from "./masker.ts";

/**
 * So many spellings of secrets that are in force no longer are masked yet: a receiver may take a rotated one for long,
 * and what was sent under it may still be logged.
 */
const mostFormer = 1_000;

/** What things are called; asked when a text is masked, so that an answer may change at any time. */
export interface Names {
  /** Whether the text is a name: of a queue, a group, an app or an endpoint, or an endpoint's label. */
  isName(text: string): boolean;
  /** Whether a text is shown as it is when all of it is this: the name of a queue or an app, or a label. */
  isShown(text: string): boolean;
}

/** Masks the secrets in force, and lately in force, in a text. */
export interface Mask {
  /** The text with `***` in the place of each secret. */
  readonly mask: (text: string) => string;
  /**
   * From now on the secrets of `next` are in force, and no longer those of `previous`: two configurations, or the parts
   * that differ, from their top (`{ apps: [app] }`). Costs time for what stands in the two, not for what else is secret.
   */
  replace(previous: unknown, next: unknown): void;
}

/**
 * The mask of a process. It spares the configuration's own names: a log line whose endpoint is masked is of no use,
 * and names are no secrets.
 */
export function createMask(config: unknown, names: Names): Mask {
  const masker = createMasker(secretsOf(config), { isName: (text) => names.isName(text), mostFormer });
  return {
    mask: (text) => (names.isShown(text) ? text : masker(text)),
    replace(previous, next) {
      masker.add(secretsOf(next));
      masker.remove(secretsOf(previous));
    },
  };
}
