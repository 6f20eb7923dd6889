import * as v from "valibot";
import { configSchema, type ConfigInput } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import type { Endpoint, EndpointLimits } from "../../src/delivery/endpoint.ts";
import type { RetryPolicy } from "../../src/delivery/retry.ts";

/** What a test wants otherwise; of limits and retries only the keys that it names. */
export interface EndpointChange extends Partial<Omit<Endpoint, "limits" | "retry">> {
  readonly limits?: Partial<EndpointLimits>;
  readonly retry?: Partial<RetryPolicy>;
}

const receiver = { url: "http://receiver.test/hooks", signing: "none" } as const;
const config: ConfigInput = { endpoints: { receiver }, webhooks: { retry: { jitter: 0 } } };
const base = createDirectory(v.parse(configSchema, config)).endpoints[0] as Endpoint;

/**
 * An endpoint as the configuration makes it: a named one, "receiver", unsigned, with every default but jitter.
 *
 * A new setting of endpoints has its default here without a change of any test.
 */
export function testEndpoint({ limits, retry, ...change }: EndpointChange = {}): Endpoint {
  return {
    ...base,
    ...change,
    limits: { ...base.limits, ...limits },
    retry: { ...base.retry, ...retry },
  };
}

/** The retry policy of testEndpoint() with some keys changed. */
export function testRetry(change: Partial<RetryPolicy> = {}): RetryPolicy {
  return testEndpoint({ retry: change }).retry;
}
