import type { Config } from "./config/schema.ts";
import { createMasker } from "./config/masker.ts";
import { secretsOf } from "./config/redact.ts";
import type { Directory } from "./delivery/endpoint.ts";

/**
 * Masks every secret of the configuration in a text, sparing the configuration's own names: a log line
 * whose endpoint is masked is of no use, and names are no secrets.
 */
export function createProcessMask(config: Config, directory: Directory): (text: string) => string {
  const mask = createMasker(secretsOf(config));
  const names = new Set([
    ...config.queue.queues.map(({ name }) => name),
    ...directory.apps.map(({ id }) => id),
    ...directory.endpoints.map(({ label }) => label),
  ]);
  return (text) => (names.has(text) ? text : mask(text));
}
