import { describe, expect, test } from "bun:test";
import type { Endpoint } from "../../src/delivery/endpoint.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import type { Disposition } from "../../src/queue/driver.ts";
import { createAttemptLog } from "../../src/endpoints/log.ts";
import type { Delivery } from "../../src/worker/delivery.ts";
import { testEndpoint } from "../support/endpoint.ts";

const ok: Outcome = { kind: "delivered", status: 200, durationMs: 3 };
const ack: Disposition = { verb: "ack" };

const endpointNamed = (label: string): Endpoint => testEndpoint({ label });

function deliveryOf(endpoint: Endpoint, jobId: string, attempt = 1): Delivery {
  const held = { lease: { queue: "webhooks" } };
  return { endpoint, jobId, id: `${jobId}_00000000`, attempt, held, content: "a body" } as Delivery;
}

describe("the delivery log", () => {
  test("lists an endpoint's attempts newest first, as many as asked for", () => {
    let now = 1_000;
    const log = createAttemptLog({ now: () => now++ });
    const [one, other] = [endpointNamed("one"), endpointNamed("other")];
    for (const id of ["a", "b", "c"]) log.record(deliveryOf(one, id), ok, ack);
    log.record(deliveryOf(other, "d"), ok, ack);
    expect(log.list(one, 100).map(({ jobId, at }) => [jobId, at])).toEqual([
      ["c", 1_002],
      ["b", 1_001],
      ["a", 1_000],
    ]);
    expect(log.list(one, 2).map(({ jobId }) => jobId)).toEqual(["c", "b"]);
    expect(log.list(endpointNamed("never tried"), 100)).toEqual([]);
  });

  test("says what became of the delivery, and keeps no body", () => {
    const log = createAttemptLog({ now: () => 0 });
    const endpoint = endpointNamed("one");
    const dispositions: Disposition[] = [
      ack,
      { verb: "retry", delayMs: 1_500, body: "a body" },
      {
        verb: "dead",
        reason: "http_404",
        detail: "HTTP 404",
        endpoint: "one",
        attempted: true,
        body: "a body",
      },
      { verb: "release" },
    ];
    for (const disposition of dispositions) log.record(deliveryOf(endpoint, "job"), ok, disposition);
    expect(log.list(endpoint, 10).map(({ next }) => next)).toEqual([
      { verb: "released" },
      { verb: "dead", reason: "http_404" },
      { verb: "retry", delayMs: 1_500 },
      { verb: "done" },
    ]);
    expect(JSON.stringify(log.list(endpoint, 10))).not.toContain("a body");
  });

  test("an endpoint keeps its last hundred and pushes nobody else's out", () => {
    const log = createAttemptLog({ now: () => 0 });
    const [quiet, busy] = [endpointNamed("quiet"), endpointNamed("busy")];
    log.record(deliveryOf(quiet, "early"), ok, ack);
    for (let n = 0; n < 30_000; n += 1) log.record(deliveryOf(busy, `job-${n}`), ok, ack);
    expect(log.list(quiet, 100).map(({ jobId }) => jobId)).toEqual(["early"]);
    const kept = log.list(busy, 1_000).map(({ jobId }) => jobId);
    expect(kept).toHaveLength(100);
    expect([kept[0], kept[99]]).toEqual(["job-29999", "job-29900"]);
  });

  test("ten thousand endpoints keep twenty thousand attempts in all, the newest ones", () => {
    const log = createAttemptLog({ now: () => 0 });
    const endpoints = Array.from({ length: 10_000 }, (_, n) => endpointNamed(`endpoint-${n}`));
    for (let round = 0; round < 5; round += 1) {
      for (const endpoint of endpoints) log.record(deliveryOf(endpoint, `round-${round}`), ok, ack);
    }
    const all = endpoints.flatMap((endpoint) => log.list(endpoint, 100));
    expect(all).toHaveLength(20_000);
    expect(new Set(all.map(({ jobId }) => jobId))).toEqual(new Set(["round-3", "round-4"]));
  });

  test("keeps what a plain model keeps, whoever is tried when", () => {
    const [perEndpoint, total] = [5, 12];
    const log = createAttemptLog({ now: () => 0, perEndpoint, total });
    const endpoints = Array.from({ length: 6 }, (_, n) => endpointNamed(`endpoint-${n}`));
    let model: { endpoint: Endpoint; jobId: string }[] = [];
    let seed = 42;
    for (let n = 0; n < 2_000; n += 1) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      // Skewed, so that both bounds are met.
      const endpoint = endpoints[Math.floor((seed / 2_147_483_648) ** 2 * endpoints.length)]!;
      log.record(deliveryOf(endpoint, `job-${n}`), ok, ack);
      model.push({ endpoint, jobId: `job-${n}` });
      const own = model.filter((entry) => entry.endpoint === endpoint);
      if (own.length > perEndpoint) model = model.filter((entry) => entry !== own[0]);
      else if (model.length > total) model.shift();
      for (const each of endpoints) {
        const expected = model.filter((entry) => entry.endpoint === each).map(({ jobId }) => jobId);
        expect(log.list(each, 100).map(({ jobId }) => jobId)).toEqual(expected.reverse());
      }
    }
  });
});
