import type { SettleResult } from "../../../driver.ts";
import { SqsCallError } from "../errors.ts";

/**
 * Throws where every result is unknown. An error that only an operator can end is thrown before one that ends by itself,
 * as an outage does.
 */
export function throwIfNoneIsKnown(results: readonly SettleResult[]): void {
  const errors = results.flatMap((result) => (result.status === "unknown" ? [result.error] : []));
  if (errors.length === 0 || errors.length < results.length) return;
  const lasting = errors.find(({ cause }) => cause instanceof SqsCallError && cause.kind !== "unavailable");
  throw lasting ?? errors[0];
}
