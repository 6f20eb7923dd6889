import { describe, expect, test } from "bun:test";
import { createDeadLetterShelf } from "../../src/queue/drivers/memory/dead-letter-shelf.ts";
import { createDeadlineHeap } from "../../src/queue/drivers/memory/deadline-heap.ts";
import type { Deadlined } from "../../src/queue/drivers/memory/deadline-heap.ts";
import { createDedupWindow } from "../../src/queue/drivers/memory/dedup-window.ts";
import { createDeque } from "../../src/queue/drivers/memory/deque.ts";
import { createJobEntry } from "../../src/queue/drivers/memory/job-entry.ts";
import type { JobEntry } from "../../src/queue/drivers/memory/job-entry.ts";
import { createHoldings } from "../../src/queue/drivers/memory/holdings.ts";
import { createLinkedList } from "../../src/queue/drivers/memory/linked-list.ts";
import type { InList } from "../../src/queue/drivers/memory/linked-list.ts";
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

describe("memory: line", () => {
  test("what goes in comes out in order, also when others leave from the middle", () => {
    const random = seeded(4);
    const line = createLinkedList<Item>();
    let model: Item[] = [];
    for (let step = 0; step < 5_000; step += 1) {
      const roll = random();
      if (roll < 0.5) {
        const item: Item = { list: null, before: null, after: null };
        line.pushBack(item);
        model.push(item);
      } else if (roll < 0.75) {
        expect(line.front()).toBe(model[0]);
        expect(line.popFront()).toBe(model.shift());
      } else {
        const item = model[Math.floor(random() * model.length)];
        if (item === undefined) continue;
        line.remove(item);
        expect([item.list, item.before, item.after]).toEqual([null, null, null]);
        model = model.filter((one) => one !== item);
      }
      expect(line.size).toBe(model.length);
    }
  });
});

describe("memory: holdings", () => {
  test("the oldest of the endpoint that holds most is in front, whatever is added and removed", () => {
    const random = seeded(5);
    const holdings = createHoldings();
    const inside = new Set<JobEntry>();
    for (let step = 0; step < 5_000; step += 1) {
      if (random() < (step % 1_000 < 500 ? 0.7 : 0.3)) {
        const entry = createJobEntry(`${step}`, "", step, 0, `app/${Math.floor(random() ** 2 * 8)}`);
        inside.add(entry);
        holdings.add(entry);
      } else {
        const entry =
          random() < 0.5 ? holdings.oldestOfMost() : [...inside][Math.floor(random() * inside.size)];
        if (entry === undefined) continue;
        inside.delete(entry);
        holdings.remove(entry);
      }
      const sizes = Map.groupBy(inside, ({ endpoint }) => endpoint);
      const most = Math.max(0, ...[...sizes.values()].map((jobs) => jobs.length));
      const front = holdings.oldestOfMost();
      const own = front === undefined ? [] : (sizes.get(front.endpoint) ?? []);
      expect(own.length).toBe(most);
      if (front !== undefined) expect(front.order).toBe(Math.min(...own.map(({ order }) => order)));
    }
    holdings.add(createJobEntry("unknown", "", 0, 0));
    for (const entry of inside) holdings.remove(entry);
    expect(holdings.oldestOfMost()).toBeUndefined();
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

  test("a key that is over is not found, also while nothing is written", () => {
    let now = 0;
    const window = createDedupWindow(1_000, { now: () => 0, monotonic: () => now });
    window.remember({ key: "k", fingerprint: "f" }, "id");
    now = 999;
    expect(window.find("k")?.id).toBe("id");
    now = 1_000;
    expect(window.find("k")).toBeUndefined();
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
    const shelf = createDeadLetterShelf(
      { maxLetters: retention, maxBytes: Infinity, maxAgeMs: Infinity },
      () => 0,
    );
    const model: string[] = [];
    let trimmed = 0;
    for (let step = 0; step < 5_000; step += 1) {
      const roll = random();
      if (roll < 0.6) {
        shelf.add(letter(`job-${step}`));
        trimmed += shelf.trim().length;
        model.push(`job-${step}`);
        if (model.length > retention) model.shift();
      } else if (roll < 0.8) {
        const id = model.splice(Math.floor(random() * model.length), 1)[0];
        if (id !== undefined) expect(shelf.take(id)?.jobId).toBe(id);
      } else {
        const oldest = shelf.oldest();
        expect(oldest?.jobId).toBe(model.shift());
        if (oldest !== undefined) expect(shelf.take(oldest.id)).toBe(oldest);
      }
      expect(shelf.size).toBe(model.length);
      expect(shelf.counts().groups.reduce((sum, { count }) => sum + count, 0)).toBe(model.length);
      expect(shelf.bytes === 0).toBe(model.length === 0);
      if (step % 50 === 0) expect(pages(shelf)).toEqual(model.toReversed());
    }
    expect(trimmed).toBeGreaterThan(0);
  });
});

interface Item extends InList<Item> {}

function letter(jobId: string) {
  return {
    id: jobId,
    jobId,
    reason: `http_41${jobId.at(-1)}`,
    detail: null,
    endpoint: null,
    attempts: 1,
    failedAt: 0,
    enqueuedAt: 0,
    ref: "{}",
    bodyBytes: 2,
  };
}

function pages(shelf: ReturnType<typeof createDeadLetterShelf>): string[] {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page = shelf.page({ limit: 7, cursor });
    ids.push(...page.letters.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== null);
  return ids;
}
