import { expect, test } from "bun:test";
import { createMetricsRegistry } from "../src/metrics.ts";

test("an observation is counted in every bucket whose bound it does not exceed", async () => {
  const buckets = [0.0004, 0.005, 0.01, 0.025, 0.25, 0.5, 1, 2.5, 60, 172_800];
  const values = [0, 0.0001, 0.0004, 0.0005, 0.001, 0.0079, 0.008, 0.0255, 0.5, 0.512, 1, 1.024, 59, 61, 1e9];
  const around = buckets.flatMap((bound) => [bound * 0.999_999, bound, bound * 1.000_001]);
  for (const value of [...values, ...around]) {
    const registry = createMetricsRegistry();
    registry.histogram("x", "x", buckets).labels().observe(value);
    const text = await registry.render();
    const counts = buckets.map((le) => Number(text.match(`x_bucket{le="${le}"} (\\d+)`)?.[1]));
    expect([value, ...counts]).toEqual([value, ...buckets.map((bound) => (value <= bound ? 1 : 0))]);
    expect(text).toContain('x_bucket{le="+Inf"} 1\n');
  }
});
