import { describe, expect, test } from "bun:test";
import type { Grant } from "../../../src/worker/schedule/grants.ts";
import { type Bench, groupBench } from "./bench.ts";

/** Ends `count` attempts of a group's queues one at a time, the oldest first. Returns the most that were in flight. */
async function endSome(queues: readonly Bench[], count: number): Promise<number> {
  const running: Grant[] = [];
  let most = 0;
  for (let ended = 0; ended < count; ended += 1) {
    for (const queue of queues) running.push(...(await queue.takeAll()));
    most = Math.max(most, running.length);
    running.shift()?.end({ kind: "delivered", status: 200, durationMs: 1 });
  }
  return most;
}

const countOf = (order: readonly number[], index: number): number =>
  order.filter((one) => one === index).length;

describe("weights 3 and 1, queues that lead to one endpoint, and slots beyond the group's to be had", () => {
  test.each([1, 2, 3, 5])("hold over every four starts with %i slots", async (concurrency) => {
    const { queues, order } = groupBench({ concurrency, beyond: 100 }, [3, 1]);
    for (const queue of queues) queue.add("shop/hook", 200);
    expect(await endSome(queues, 160)).toBe(concurrency);
    for (let start = 0; start + 4 <= 160; start += 1) {
      expect([start, countOf(order.slice(start, start + 4), 0)]).toEqual([start, 3]);
    }
  });

  test("the queue that is left alone has all slots", async () => {
    const { queues, order } = groupBench({ concurrency: 3, beyond: 100 }, [3, 1]);
    queues[1]?.add("shop/hook", 100);
    expect(await endSome(queues, 100)).toBe(3);
    expect(countOf(order, 1)).toBe(100);
  });
});

describe("queues that lead to endpoints of their own", () => {
  test("starts beyond the slots count as turns: the slots make up for them", async () => {
    const { queues, order } = groupBench({ concurrency: 3, beyond: 100 }, [3, 1]);
    queues[0]?.add("high", 300);
    queues[1]?.add("low", 300);
    await endSome(queues, 200);
    // Three in flight on the slots, and one beyond them.
    expect(countOf(order.slice(40, 200), 0) / 160).toBeWithin(0.7, 0.8);
  });

  test("an endpoint that hangs on every slot holds up nobody of the other queue", async () => {
    const { queues } = groupBench({ concurrency: 2, beyond: 100 }, [3, 1]);
    const [high, low] = queues as [Bench, Bench];
    high.add("hanging", 10);
    expect((await high.takeAll()).length).toBe(2);
    for (const label of ["a", "b", "c"]) low.add(label, 20);
    for (let round = 0; round < 20; round += 1) {
      const grants = await low.takeAll();
      expect(grants.map(({ delivery }) => delivery.endpoint.label).toSorted()).toEqual(["a", "b", "c"]);
      for (const grant of grants) grant.end(null);
    }
  });

  test("what hung for long is not made up for afterwards", async () => {
    const { queues, order } = groupBench({ concurrency: 1, beyond: 100 }, [1, 1]);
    const [high, low] = queues as [Bench, Bench];
    high.add("hanging", 1);
    const [hanging] = await high.takeAll();
    low.add("low", 1_000);
    await endSome([low], 1_000);
    hanging?.end(null);
    // One endpoint, so that nothing but turns on the slot decides.
    for (const queue of queues) queue.add("shop/hook", 50);
    const before = order.length;
    await endSome(queues, 40);
    expect(countOf(order.slice(before, before + 40), 1)).toBeGreaterThan(15);
  });
});

test("an endpoint in flight from one queue has its first attempt from the other as soon as it has none", async () => {
  const { queues } = groupBench({ concurrency: 1, beyond: 100 }, [1, 1]);
  const [one, other] = queues as [Bench, Bench];
  one.add("hanging");
  const [hanging] = await one.takeAll();
  one.add("shop/hook");
  const [first] = await one.takeAll();
  other.add("shop/hook");
  expect(await other.takeAll()).toEqual([]);
  expect(other.scheduler.lanes.get("shop/hook")?.state).toBe("next");
  first?.end(null);
  expect((await other.takeAll()).length).toBe(1);
  hanging?.end(null);
});

test("strict: slots beyond the group's are not used for an endpoint that has something in flight", async () => {
  const { queues } = groupBench({ concurrency: 1, beyond: 100, strategy: "strict" }, [1, 1]);
  const [first, second] = queues as [Bench, Bench];
  second.add("shop/hook", 2);
  expect((await second.takeAll()).length).toBe(1);
  first.add("shop/hook", 1);
  expect(await first.takeAll()).toEqual([]);
});
