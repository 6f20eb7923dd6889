import { describe, expect, test } from "bun:test";
import { createGroupSlots, type GroupMember } from "../../src/worker/group-slots.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { jobIdOf, newJobs, startWorker } from "../support/worker.ts";
import { until } from "../support/until.ts";

interface Member extends GroupMember {
  waiting: number;
  started: number;
}

/** A group whose queues start what they have whenever they may, and never end anything by themselves. */
function group(strategy: "weighted" | "strict", concurrency: number, weights: readonly number[]) {
  const order: number[] = [];
  const slots = createGroupSlots(concurrency, strategy);
  const members = weights.map((weight, index): Member & { end: () => void } => {
    const member: Member = {
      weight,
      waiting: 0,
      started: 0,
      wantsSlot: () => member.waiting > 0,
      isBusy: () => member.waiting + member.started > 0,
      pump() {
        while (member.waiting > 0 && permits.isAvailable()) {
          permits.take();
          member.waiting -= 1;
          member.started += 1;
          order.push(index);
        }
      },
    };
    const permits = slots.join(member);
    return Object.assign(member, {
      end() {
        member.started -= 1;
        permits.give();
        member.pump();
      },
    });
  });
  /** Ends one attempt at a time, the oldest first, until nothing runs. */
  const runDry = async (): Promise<void> => {
    for (const member of members) member.pump();
    await Promise.resolve();
    for (let ended = 0; ended < order.length; ended += 1) {
      members[order[ended] as number]?.end();
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  return { members, order, runDry };
}

const countOf = (order: readonly number[], index: number): number =>
  order.filter((one) => one === index).length;

describe("weighted", () => {
  test("queues that always have work start in proportion to their weights", async () => {
    const { members, order, runDry } = group("weighted", 4, [3, 1]);
    for (const member of members) member.waiting = 100;
    await runDry();
    expect(order).toHaveLength(200);
    // While both have work: in any stretch of whole rounds, three to one.
    for (let start = 0; start + 40 <= 120; start += 4) {
      expect(countOf(order.slice(start, start + 40), 0)).toBeWithin(28, 33);
    }
  });

  test("a queue that wants nothing passes its turns on, so that no slot stands idle", async () => {
    const { members, order, runDry } = group("weighted", 3, [1, 10]);
    (members[0] as Member).waiting = 50;
    for (const member of members) member.pump();
    expect(members.map(({ started }) => started)).toEqual([3, 0]);
    await runDry();
    expect(order).toHaveLength(50);
  });

  test("a queue that comes back is served in the round that is under way", async () => {
    const { members, order } = group("weighted", 2, [5, 5]);
    const [one, two] = members as [Member & { end: () => void }, Member];
    one.waiting = 100;
    one.pump();
    for (let round = 0; round < 20; round += 1) {
      one.end();
      await Promise.resolve();
    }
    two.waiting = 3;
    const before = order.length;
    for (let round = 0; round < 12 && two.waiting > 0; round += 1) {
      one.end();
      await Promise.resolve();
    }
    expect(two.waiting).toBe(0);
    expect(order.length - before).toBeLessThanOrEqual(12);
  });
});

describe("strict", () => {
  test("a queue starts only while none before it wants a slot", async () => {
    const { members, order, runDry } = group("strict", 3, [1, 1, 1]);
    for (const member of members) member.waiting = 30;
    await runDry();
    expect(order).toEqual([...order].sort((left, right) => left - right));
    expect(order).toHaveLength(90);
  });

  test("what comes first in rank goes before what waits longer", async () => {
    const { members, order, runDry } = group("strict", 1, [1, 1]);
    const [high, low] = members as [Member, Member & { end: () => void }];
    low.waiting = 10;
    low.pump();
    high.waiting = 2;
    low.end();
    await Promise.resolve();
    expect(order).toEqual([1, 0]);
    await runDry();
    expect(order.slice(0, 4)).toEqual([1, 0, 0, 1]);
  });
});

test("the slots of a group are never exceeded", async () => {
  for (const strategy of ["weighted", "strict"] as const) {
    const { members, runDry } = group(strategy, 5, [2, 1, 4]);
    for (const member of members) member.waiting = 40;
    for (const member of members) member.pump();
    expect(members.reduce((sum, { started }) => sum + started, 0)).toBe(5);
    await runDry();
    expect(members.map(({ started, waiting }) => [started, waiting])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  }
});

describe("queues in groups, end to end", () => {
  const start = (strategy: "weighted" | "strict", url: string) =>
    startWorker({
      start: false,
      config: {
        queue: {
          queues: ["high", "low"],
          groups: [
            {
              name: "group",
              concurrency: 4,
              strategy,
              queues: [{ name: "high", weight: 3 }, "low"],
            },
          ],
        },
        // No slots beyond the group's: an endpoint's first attempt would use them.
        webhooks: { max_in_flight: 4 },
      },
      webhooks: [{ url }],
    });

  test("weighted: both are served, the heavier more often", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 3 }) });
    await using bench = await start("weighted", receiver.url);
    await bench.put(newJobs(200, "high"), "high");
    await bench.put(newJobs(200, "low"), "low");
    bench.consumption.start();
    await bench.untilEmpty(20_000, "high");
    await bench.untilEmpty(20_000, "low");
    const first = receiver.requests.slice(0, 160).map(jobIdOf);
    expect(receiver.count).toBe(400);
    expect(first.filter((id) => id.startsWith("high")).length).toBeWithin(100, 140);
  });

  test("strict: the first goes first, and the second has all slots when the first has nothing", async () => {
    await using receiver = await startReceiver({ behaviour: answer(200, { delayMs: 3 }) });
    await using bench = await start("strict", receiver.url);
    await bench.put(newJobs(200, "high"), "high");
    await bench.put(newJobs(100, "low"), "low");
    bench.consumption.start();
    await bench.untilEmpty(20_000, "low");
    const order = receiver.requests.map(jobIdOf);
    expect(order).toHaveLength(300);
    expect(order.slice(0, 200).filter((id) => id.startsWith("high")).length).toBeGreaterThan(185);
  });

  test("an empty queue's wait delays nobody", async () => {
    await using receiver = await startReceiver();
    await using bench = await start("strict", receiver.url);
    bench.consumption.start();
    await until(() => bench.supervisor.isAlive(), { what: "the workers" });
    const startedAt = performance.now();
    await bench.put(newJobs(20, "low"), "low");
    await receiver.waitForCount(20);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
