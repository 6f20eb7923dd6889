import { describe, expect, test } from "bun:test";
import { answer, startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

const concurrency = 64;
const wide = { queue: { memory: { concurrency } } };

describe("one bad node behind a load balancer", () => {
  // Nothing is tried again within the test: an answer that held the endpoint for its backoff would end the
  // arrivals for an hour. By counts, for rates move with the machine.
  test.each([503, 500])("every 16th answer is %d: all other deliveries go on", async (status) => {
    await using receiver = await startReceiver({
      record: false,
      behaviour: (_request, n) => answer(n % 16 === 0 ? status : 200),
    });
    await using bench = await startWorker({
      webhooks: [{ url: receiver.url, breaker: {} }],
      config: {
        ...wide,
        webhooks: { retry: { initial_backoff_ms: 3_600_000, max_backoff_ms: 3_600_000 } },
      },
    });
    await bench.put(newJobs(5_000));
    await receiver.waitForCount(5_000);
    await until(() => bench.settled("ack") === 4_688, { what: "the end of all that was accepted" });
    expect(bench.settled("retry")).toBe(312);
    expect(bench.settled("park")).toBe(0);
    expect(bench.gates.all().map(({ breaker, heldMs }) => [breaker, heldMs])).toEqual([["closed", 0]]);
  });
});

test("a receiver that takes four at once and answers others 429 gets about as many, and everything in the end", async () => {
  const most = 4;
  const jobs = 400;
  let inFlight = 0;
  let refused = 0;
  /** Arrivals beside how many others, since the first 64 were answered. */
  const beside: number[] = [];
  const taken = new Map<string, number>();
  await using receiver = await startReceiver({
    record: false,
    behaviour: (request, n) => {
      if (n > concurrency) beside.push(inFlight);
      if (inFlight >= most) {
        refused += 1;
        return answer(429);
      }
      inFlight += 1;
      setTimeout(() => (inFlight -= 1), 5);
      taken.set(jobIdOf(request), (taken.get(jobIdOf(request)) ?? 0) + 1);
      return answer(200, { delayMs: 5 });
    },
  });
  await using bench = await startWorker({ webhooks: [{ url: receiver.url, breaker: {} }], config: wide });
  await bench.put(newJobs(jobs));
  await bench.untilEmpty();
  expect(taken.size).toBe(jobs);
  expect([...taken.values()].every((times) => times === 1)).toBe(true);
  // Some at the start, then one whenever the window has opened too far: not one for each delivery.
  expect(refused).toBeLessThan(jobs);
  expect(bench.gates.all()[0]?.window).toBeLessThanOrEqual(most * 3);
});
