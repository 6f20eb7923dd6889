import { expect, test } from "bun:test";
import { answer, hang, startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJob, newJobs, startWorker } from "../support/worker.ts";

const sorted = (ids: readonly string[]): string[] => [...ids].sort();
const ids = newJobs(100).map(({ id }) => id);

test("what one endpoint accepted is not sent again because another failed", async () => {
  await using well = await startReceiver();
  await using failing = await startReceiver({ behaviour: answer(500) });
  await using gone = await startReceiver({ behaviour: answer(410) });
  await using bench = await startWorker({
    webhooks: [
      { name: "well", url: well.url },
      { name: "failing", url: failing.url, retry: { max_attempts: 3 } },
      { name: "gone", url: gone.url },
    ],
  });
  await bench.put(newJobs(100));
  await bench.untilEmpty();
  expect(sorted(well.requests.map(jobIdOf))).toEqual(sorted(ids));
  expect(sorted(gone.requests.map(jobIdOf))).toEqual(sorted(ids));
  expect(failing.count).toBe(300);
  const dead = await bench.dead();
  expect(dead.filter(({ endpoint }) => endpoint === "shop/failing").length).toBe(100);
  expect(dead.filter(({ endpoint }) => endpoint === "shop/gone").length).toBe(100);
  for (const { endpoint, attempts, reason } of dead) {
    expect([endpoint, attempts, reason]).toEqual(
      endpoint === "shop/gone" ? [endpoint, 1, "http_410"] : [endpoint, 3, "attempts_exhausted"],
    );
  }
  expect(bench.metrics.expanded.labels({ queue: "webhooks" }).value).toBe(200);
});

test("each endpoint's attempts carry one id of their own, the same every time", async () => {
  await using one = await startReceiver({ behaviour: (_request, n) => answer(n <= 2 ? 503 : 200) });
  await using two = await startReceiver();
  await using bench = await startWorker({
    webhooks: [
      { name: "one", url: one.url },
      { name: "two", url: two.url },
    ],
  });
  await bench.put([newJob("job")]);
  await bench.untilEmpty();
  const idsOf = (receiver: typeof one): Set<string | undefined> =>
    new Set(receiver.requests.map(({ headers }) => headers["webhook-id"]));
  expect(one.count).toBe(3);
  expect(idsOf(one).size).toBe(1);
  expect(idsOf(two).size).toBe(1);
  expect([...idsOf(one)][0]).not.toBe([...idsOf(two)][0]);
  for (const id of [...idsOf(one), ...idsOf(two)]) expect(id).toStartWith("job_");
});

test("redriven dead letters go to the endpoint that failed, and to no other", async () => {
  await using well = await startReceiver();
  await using failing = await startReceiver({ behaviour: answer(400) });
  await using bench = await startWorker({
    webhooks: [
      { name: "well", url: well.url },
      { name: "failing", url: failing.url },
    ],
  });
  await bench.put(newJobs(20));
  await bench.untilEmpty();
  failing.behave(answer(200));
  const before = new Set(failing.requests.map(({ headers }) => headers["webhook-id"]));
  failing.clear();
  expect(await bench.memory.redrive("webhooks", { max: 100 })).toBe(20);
  await bench.untilEmpty();
  expect(failing.count).toBe(20);
  expect(new Set(failing.requests.map(({ headers }) => headers["webhook-id"]))).toEqual(before);
  expect(well.count).toBe(20);
});

test("a slot beyond the shared ones that one queue gives back goes to another that waits for it", async () => {
  await using hanging = await startReceiver({ behaviour: hang() });
  await using slow = await startReceiver({ behaviour: answer(200, { delayMs: 200 }) });
  await using well = await startReceiver();
  await using bench = await startWorker({
    config: {
      queue: { queues: ["a", "b"], memory: { concurrency: 1 } },
      webhooks: { max_in_flight: 3 },
    },
    webhooks: [
      { name: "hanging", url: hanging.url, event_types: ["hanging"], request_timeout_ms: 60_000 },
      { name: "slow", url: slow.url, event_types: ["slow"] },
      { name: "well", url: well.url, event_types: ["well"] },
    ],
  });
  // Both queues' own slots hang; the one slot beyond them is taken by a.
  await bench.put([newJob("hanging-a", { event: "hanging" })], "a");
  await bench.put([newJob("hanging-b", { event: "hanging" })], "b");
  await hanging.waitForCount(2);
  await bench.put([newJob("slow", { event: "slow" })], "a");
  await slow.waitForCount(1);
  await bench.put([newJob("well", { event: "well" })], "b");
  await well.waitForCount(1);
});
