import { expect, test } from "bun:test";
import { camelKeys, snakeKeys } from "../src/camel-keys.ts";

const settings = {
  open_ms: 5,
  rate_limit: { per_second: 2, burst: 1 },
  only_null: null,
  retry_on: [404, 409],
  max_p99_ms: 1,
};

test("keys are changed at every depth, values and lists are not", () => {
  const changed = camelKeys(settings);
  expect(changed).toEqual({
    openMs: 5,
    rateLimit: { perSecond: 2, burst: 1 },
    onlyNull: null,
    retryOn: [404, 409],
    maxP99Ms: 1,
  });
  expect(changed.rateLimit.perSecond).toBe(2);
});

test("snakeKeys is the reverse", () => {
  expect(snakeKeys(camelKeys(settings))).toEqual(settings);
});
