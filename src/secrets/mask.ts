import type { Config } from "../config/schema.ts";
import { secretsOf } from "./collect.ts";
import { createMasker } from "./masker.ts";

/**
 * Masks every secret of the configuration in a text, sparing the configuration's own names: a log line
 * whose endpoint is masked is of no use, and names are no secrets.
 *
 * @param names What is shown as it is where it is the whole text: queues, apps, and endpoints' labels.
 */
export function createMask(config: Config, names: ReadonlySet<string>): (text: string) => string {
  const mask = createMasker(secretsOf(config));
  return (text) => (names.has(text) ? text : mask(text));
}
