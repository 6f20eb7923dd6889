import { describe, expect, test } from "bun:test";
import {
  createBeyondSlots,
  createSlots,
  type Slot,
  type SlotUser,
} from "../../../src/worker/schedule/slots.ts";

interface Member extends SlotUser {
  waiting: number;
  started: number;
  end(): void;
}

/** Slots whose queues start what they have whenever they may, and end nothing by themselves. */
function group(
  strategy: "weighted" | "strict",
  total: number,
  weights: readonly number[],
  beyond = createBeyondSlots(0),
) {
  const order: number[] = [];
  const slots = createSlots({ total, strategy, beyond });
  const members = weights.map((weight, index): Member => {
    const held: Slot[] = [];
    const member: Member = {
      weight,
      waiting: 0,
      started: 0,
      get ready() {
        return member.waiting > 0 ? 1 : 0;
      },
      get firsts() {
        return member.waiting > 0 && member.started === 0 ? 1 : 0;
      },
      get isBusy() {
        return member.waiting + member.started > 0;
      },
      start(slot) {
        if (member.waiting === 0) return false;
        held.push(slot);
        member.waiting -= 1;
        member.started += 1;
        order.push(index);
        return true;
      },
      freed: () => undefined,
      end() {
        member.started -= 1;
        slots.release(held.shift() as Slot);
      },
    };
    slots.join(member);
    return member;
  });
  /** Ends one attempt at a time, the oldest first, until nothing runs. */
  const runDry = (): void => {
    slots.offer();
    for (let ended = 0; ended < order.length; ended += 1) members[order[ended] as number]?.end();
  };
  return { members, order, slots, runDry };
}

const countOf = (order: readonly number[], index: number): number =>
  order.filter((one) => one === index).length;

describe("weighted", () => {
  test.each([1, 2, 3, 4, 7])(
    "with %i slots, queues that always have work start by their weights in every round",
    (total) => {
      const { members, order, runDry } = group("weighted", total, [3, 1, 2]);
      for (const member of members) member.waiting = 60;
      runDry();
      expect(order).toHaveLength(180);
      // While all have work: in any stretch of one round, three, one and two.
      for (let start = 0; start + 6 <= 120; start += 1) {
        const round = order.slice(start, start + 6);
        expect([start, countOf(round, 0), countOf(round, 1), countOf(round, 2)]).toEqual([start, 3, 1, 2]);
      }
    },
  );

  test("a queue that wants nothing passes its turns on, so that no slot stands idle", () => {
    const { members, order, slots, runDry } = group("weighted", 3, [1, 10]);
    (members[0] as Member).waiting = 50;
    slots.offer();
    expect(members.map(({ started }) => started)).toEqual([3, 0]);
    runDry();
    expect(order).toHaveLength(50);
  });

  test("a queue that comes back is served in the round that is under way", () => {
    const { members, order, slots } = group("weighted", 2, [5, 5]);
    const [one, two] = members as [Member, Member];
    one.waiting = 100;
    slots.offer();
    for (let round = 0; round < 20; round += 1) one.end();
    two.waiting = 3;
    const before = order.length;
    for (let round = 0; round < 12 && two.waiting > 0; round += 1) {
      (one.started > 0 ? one : two).end();
    }
    expect(two.waiting).toBe(0);
    expect(order.length - before).toBeLessThanOrEqual(12);
  });
});

describe("strict", () => {
  test("a queue starts only while none before it wants a slot", () => {
    const { members, order, runDry } = group("strict", 3, [1, 1, 1]);
    for (const member of members) member.waiting = 30;
    runDry();
    expect(order).toEqual([...order].sort((left, right) => left - right));
    expect(order).toHaveLength(90);
  });

  test("what comes first in rank goes before what waits longer", () => {
    const { members, order, slots, runDry } = group("strict", 1, [1, 1]);
    const [high, low] = members as [Member, Member];
    low.waiting = 10;
    slots.offer();
    high.waiting = 2;
    low.end();
    expect(order).toEqual([1, 0]);
    runDry();
    expect(order.slice(0, 4)).toEqual([1, 0, 0, 1]);
  });

  test("a queue uses no slot beyond the group's while one before it is busy", () => {
    const { members, slots } = group("strict", 1, [1, 1], createBeyondSlots(5));
    const [high, low] = members as [Member, Member];
    high.waiting = 1;
    low.waiting = 1;
    slots.offer();
    expect([high.started, low.started]).toEqual([1, 0]);
    high.end();
    expect([high.started, low.started]).toEqual([0, 1]);
  });
});

test("the slots of a group are never exceeded", () => {
  for (const strategy of ["weighted", "strict"] as const) {
    const { members, slots, runDry } = group(strategy, 5, [2, 1, 4]);
    for (const member of members) member.waiting = 40;
    slots.offer();
    expect(members.reduce((sum, { started }) => sum + started, 0)).toBe(5);
    runDry();
    expect(members.map(({ started, waiting }) => [started, waiting])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  }
});

test("a slot beyond that comes free starts what waits for it in another queue", async () => {
  const beyond = createBeyondSlots(1);
  const one = group("weighted", 1, [1], beyond);
  const two = group("weighted", 0, [1], beyond);
  const [first] = one.members as [Member];
  const [second] = two.members as [Member];
  first.waiting = 1;
  one.slots.offer();
  expect(beyond.take()).toBe(true);
  second.waiting = 1;
  two.slots.offer();
  expect(second.started).toBe(0);
  beyond.give();
  await Promise.resolve();
  expect(second.started).toBe(1);
});

test("closed slots start nothing more", () => {
  const { members, slots } = group("weighted", 2, [1, 1]);
  const [one, two] = members as [Member, Member];
  one.waiting = 2;
  slots.offer();
  two.waiting = 2;
  slots.close();
  one.end();
  expect([one.started, two.started]).toEqual([1, 0]);
});
