import { expect, test } from "bun:test";
import { startCounters } from "../../src/metric-series.ts";
import { createMetrics, type Metrics } from "../../src/metrics.ts";
import type { EndpointGate, EndpointMode } from "../../src/endpoints/state.ts";
import { testEndpoint } from "../support/endpoint.ts";
import { setEndpointMetrics, type EndpointMetricsOptions } from "../../src/worker/endpoint-metrics.ts";

const now = 1_000_000;

function optionsOf(modes: Readonly<Record<string, EndpointMode | "open">>, mostEndpoints = 500) {
  const metrics = createMetrics();
  const gates = Object.entries(modes).map(
    ([label, mode]) =>
      ({
        endpoint: testEndpoint({ label }),
        mode: mode === "open" ? "enabled" : mode,
        breaker: mode === "open" ? "open" : "closed",
      }) as unknown as EndpointGate,
  );
  const options: EndpointMetricsOptions = {
    metrics,
    clock: { now: () => now, monotonic: () => now },
    gates: { made: () => gates },
    endpoints: () => gates.length,
    isEndpoint: (label) => label !== "gone",
    waiting: () => [
      { key: "a", count: 2, oldestEnqueuedAt: now - 4_000 },
      { key: "a", count: 1, oldestEnqueuedAt: null },
      { key: "b", count: 1, oldestEnqueuedAt: now - 1_000 },
    ],
    mostEndpoints: () => mostEndpoints,
  };
  return { metrics, options };
}

const linesOf = async (metrics: Metrics): Promise<string[]> =>
  (await metrics.registry.render()).split("\n").filter((line) => line.startsWith("hookline_endpoint"));

test("backlog and age are what is parked and what waits here together; the sums count endpoints that are gone", async () => {
  const { metrics, options } = optionsOf({ a: "enabled", b: "paused", c: "enabled" });
  setEndpointMetrics(options, [
    { key: "a", count: 100, oldestEnqueuedAt: now - 60_000 },
    { key: "gone", count: 7, oldestEnqueuedAt: now - 90_000 },
  ]);
  const lines = await linesOf(metrics);
  expect(lines.filter((line) => !line.includes("state="))).toEqual([
    'hookline_endpoint_backlog{endpoint="a"} 103',
    'hookline_endpoint_backlog{endpoint="b"} 1',
    'hookline_endpoint_backlog{endpoint="c"} 0',
    'hookline_endpoint_oldest_age_seconds{endpoint="a"} 60',
    'hookline_endpoint_oldest_age_seconds{endpoint="b"} 1',
    'hookline_endpoint_oldest_age_seconds{endpoint="c"} 0',
    "hookline_endpoints_backlog 111",
    "hookline_endpoints_oldest_age_seconds 90",
  ]);
  expect(lines.filter((line) => line.includes("state=") && line.endsWith(" 1"))).toEqual([
    'hookline_endpoint_state{endpoint="a",state="closed"} 1',
    'hookline_endpoint_state{endpoint="b",state="paused"} 1',
    'hookline_endpoint_state{endpoint="c",state="closed"} 1',
    'hookline_endpoints{state="paused"} 1',
  ]);
  expect(lines).toContain('hookline_endpoints{state="closed"} 2');
  expect(lines).toContain('hookline_endpoint_state{endpoint="b",state="disabled"} 0');
});

test("while the backend does not answer, a backlog is not a number; the states are known", async () => {
  const { metrics, options } = optionsOf({ a: "disabled" });
  setEndpointMetrics(options, []);
  setEndpointMetrics(options, null);
  const lines = await linesOf(metrics);
  expect(lines).toContain('hookline_endpoint_backlog{endpoint="a"} NaN');
  expect(lines).toContain("hookline_endpoints_backlog NaN");
  expect(lines).toContain('hookline_endpoint_state{endpoint="a",state="disabled"} 1');
});

test("where there are more endpoints than series: those that are not well, then those with most backlog", async () => {
  const { metrics, options } = optionsOf({ a: "enabled", b: "enabled", c: "open", d: "enabled" }, 2);
  const endpoints = async (): Promise<string[]> =>
    (await linesOf(metrics)).flatMap(
      (line) => /^hookline_endpoint_backlog\{endpoint="(.*)"\}/.exec(line)?.[1] ?? [],
    );
  setEndpointMetrics(options, []);
  expect(await endpoints()).toEqual(["c", "a"]);
  setEndpointMetrics(options, [{ key: "d", count: 9, oldestEnqueuedAt: null }]);
  expect(await endpoints()).toEqual(["c", "d"]);
  setEndpointMetrics({ ...options, mostEndpoints: () => 0 }, []);
  expect(await endpoints()).toEqual([]);
  expect(await linesOf(metrics)).toContain('hookline_endpoints{state="closed"} 3');
});

// Finding: 0.6 s for 2,000 endpoints, in which nothing else of the process ran. The best of many is the machine's speed.
test("a scrape of 2,000 endpoints takes a moment", async () => {
  const labels = Array.from({ length: 2_000 }, (_, n) => `app-${n}/hook`);
  const { metrics, options } = optionsOf(Object.fromEntries(labels.map((label) => [label, "enabled"])));
  startCounters(metrics, { queues: ["webhooks"], driver: "memory", endpoints: labels.slice(0, 500) });
  let best = Infinity;
  for (let round = 0; round < 20; round += 1) {
    const before = performance.now();
    setEndpointMetrics(options, []);
    const text = await metrics.registry.render();
    best = Math.min(best, performance.now() - before);
    expect(text.length).toBeGreaterThan(500_000);
  }
  expect(best).toBeLessThan(50);
});

test("an endpoint that nothing was sent to here, and for which the backend has jobs put aside, has series", async () => {
  const { metrics, options } = optionsOf({ a: "enabled" });
  const parked = ["z", "gone"].map((key) => ({ key, count: 7, oldestEnqueuedAt: now - 9_000 }));
  setEndpointMetrics({ ...options, endpoints: () => 30_000 }, parked);
  const lines = await linesOf(metrics);
  expect(lines).toContain('hookline_endpoint_backlog{endpoint="z"} 7');
  expect(lines).toContain('hookline_endpoint_oldest_age_seconds{endpoint="z"} 9');
  expect(lines).toContain('hookline_endpoints{state="closed"} 30000');
  expect(lines.join("\n")).not.toContain('endpoint="gone"');
});
