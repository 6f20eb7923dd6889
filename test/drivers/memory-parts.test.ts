import { describe, expect, test } from "bun:test";
import { createDeadLetterShelf } from "../../src/queue/drivers/memory/dead-letter-shelf.ts";
import { createDeadlineHeap } from "../../src/queue/drivers/memory/deadline-heap.ts";
import type { Deadlined } from "../../src/queue/drivers/memory/deadline-heap.ts";
import { createDedupWindow } from "../../src/queue/drivers/memory/dedup-window.ts";
import { createDeque } from "../../src/queue/drivers/memory/deque.ts";
import { seeded } from "./conformance-walk.ts";

describe("memory: deadline heap", () => {
  test("the nearest is always in front, whatever is added and removed", () => {
    const random = seeded(1);
    const heap = createDeadlineHeap<Deadlined>();
    const inside = new Set<Deadlined>();
    for (let step = 0; step < 20_000; step += 1) {
      if (random() < (step % 1_000 < 500 ? 0.7 : 0.3)) {
        const item = { deadline: Math.floor(random() * 1_000), place: -1 };
        inside.add(item);
        heap.add(item);
      } else {
        const anyItem = [...inside][Math.floor(random() * inside.size)];
        const item = random() < 0.5 ? anyItem : heap.nearest();
        if (item === undefined) continue;
        inside.delete(item);
        heap.remove(item);
        expect(item.place).toBe(-1);
      }
      expect(heap.size).toBe(inside.size);
      const nearest = Math.min(...[...inside].map(({ deadline }) => deadline));
      expect(heap.nearest()?.deadline ?? Infinity).toBe(nearest);
    }
  });
});

describe("memory: deque", () => {
  test("what goes in comes out in order, through growing and shrinking", () => {
    const random = seeded(2);
    const deque = createDeque<number>();
    const model: number[] = [];
    for (let step = 0; step < 20_000; step += 1) {
      const isGrowing = step % 4_000 < 2_000;
      if (random() < (isGrowing ? 0.7 : 0.3)) {
        deque.pushBack(step);
        model.push(step);
      } else {
        expect(deque.front()).toBe(model[0]);
        expect(deque.popFront()).toBe(model.shift());
      }
      expect(deque.size).toBe(model.length);
    }
  });
});

describe("memory: dedup window", () => {
  test("keys that are over are forgotten by the next write", () => {
    let now = 0;
    const window = createDedupWindow(1_000, { now: () => 0, monotonic: () => now });
    const remember = (key: string): void => window.remember({ key, fingerprint: "f" }, key);
    for (let index = 0; index < 100; index += 1) remember(`early-${index}`);
    now = 600;
    remember("late");
    remember("early-0");
    now = 1_001;
    remember("now");
    expect(window.size).toBe(3);
    expect(window.find("early-1")).toBeUndefined();
    // Used again at 600, so remembered until 1,600.
    expect(window.find("early-0")?.id).toBe("early-0");
    expect(window.find("late")?.fingerprint).toBe("f");
  });

  test("the window is shortened when keys come too fast, the oldest going first", () => {
    const window = createDedupWindow(1_000, { now: () => 0, monotonic: () => 0 });
    for (let index = 0; index <= 500_000; index += 1) {
      window.remember({ key: String(index), fingerprint: "f" }, "id");
    }
    expect(window.size).toBe(500_000);
    expect(window.find("0")).toBeUndefined();
    expect(window.find("1")?.id).toBe("id");
  });
});

describe("memory: dead letter shelf", () => {
  test("letters come and go in any order, and the oldest goes first", () => {
    const random = seeded(3);
    const retention = 50;
    const shelf = createDeadLetterShelf(retention);
    const model: string[] = [];
    let trimmed = 0;
    for (let step = 0; step < 5_000; step += 1) {
      const roll = random();
      if (roll < 0.6) {
        trimmed += shelf.add(letter(`job-${step}`));
        model.push(`job-${step}`);
        if (model.length > retention) model.shift();
      } else if (roll < 0.8) {
        const id = model.splice(Math.floor(random() * model.length), 1)[0];
        if (id !== undefined) expect(shelf.take(id)?.jobId).toBe(id);
      } else {
        expect(shelf.takeOldest()?.jobId).toBe(model.shift());
      }
      expect(shelf.size).toBe(model.length);
      if (step % 50 === 0) expect(pages(shelf)).toEqual(model.toReversed());
    }
    expect(trimmed).toBeGreaterThan(0);
  });
});

function letter(jobId: string) {
  return {
    jobId,
    reason: "http_410",
    detail: null,
    endpoint: null,
    attempts: 1,
    failedAt: 0,
    enqueuedAt: 0,
    body: "{}",
  };
}

function pages(shelf: ReturnType<typeof createDeadLetterShelf>): string[] {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page = shelf.page({ limit: 7, cursor });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== null);
  return ids;
}
