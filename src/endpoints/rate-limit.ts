import type { EndpointLimits } from "../delivery/endpoint.ts";

/** How often attempts to an endpoint may start (`rate_limit` of a webhook). */
export type RateLimitPolicy = NonNullable<EndpointLimits["rateLimit"]>;

/** A token bucket; times are monotonic ms. In any second at most perSecond + burst attempts start. */
export interface RateLimit {
  /** Takes a token: 0 when there was one, else the milliseconds until there is. */
  take(now: number): number;
  /** Another policy from now on; what is in the bucket stays, as far as the new one holds as much. */
  setPolicy(policy: RateLimitPolicy): void;
}

export function createRateLimit(first: RateLimitPolicy): RateLimit {
  let policy = first;
  let tokens = policy.burst;
  let filledAt: number | null = null;
  return {
    take(now) {
      // A clock that stood still or went back fills nothing.
      const passedMs = Math.max(0, now - (filledAt ?? now));
      tokens = Math.min(policy.burst, tokens + (passedMs * policy.perSecond) / 1000);
      filledAt = now;
      // The bucket fills in fractions that do not add up to exactly one.
      if (tokens >= 1 - 1e-9) {
        tokens -= 1;
        return 0;
      }
      return Math.ceil(((1 - tokens) * 1000) / policy.perSecond);
    },
    setPolicy(next) {
      policy = next;
      tokens = Math.min(policy.burst, tokens);
    },
  };
}
