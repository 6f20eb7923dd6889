import { Buffer } from "node:buffer";
import { describe, expect, test } from "bun:test";
import { createBodyStore } from "../../src/queue/drivers/memory/body-store.ts";
import { createDeadLetterShelf } from "../../src/queue/drivers/memory/dead-letter-shelf.ts";
import { createDeadlineHeap } from "../../src/queue/drivers/memory/deadline-heap.ts";
import type { Deadlined } from "../../src/queue/drivers/memory/deadline-heap.ts";
import { createDedupWindow } from "../../src/queue/drivers/memory/dedup-window.ts";
import { createJobEntry, noRef } from "../../src/queue/drivers/memory/job-entry.ts";
import type { JobEntry } from "../../src/queue/drivers/memory/job-entry.ts";
import { createHoldings } from "../../src/queue/drivers/memory/holdings.ts";
import { createLinkedList } from "../../src/queue/drivers/memory/linked-list.ts";
import type { InList } from "../../src/queue/drivers/memory/linked-list.ts";
import { createUntriedLine } from "../../src/queue/drivers/memory/untried-line.ts";
import type { JobBody } from "../../src/jobs/job.ts";
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

describe("memory: untried line", () => {
  test("what goes in comes out in order, through growing and shrinking", () => {
    const random = seeded(2);
    const line = createUntriedLine();
    const model: number[] = [];
    for (let step = 0; step < 20_000; step += 1) {
      const isGrowing = step % 4_000 < 2_000;
      if (random() < (isGrowing ? 0.7 : 0.3)) {
        line.pushBack(createJobEntry("", step * 3, step, 1_700_000_000_000 + step));
        model.push(step);
      } else {
        const first = model.shift();
        const enqueuedAt = first === undefined ? undefined : 1_700_000_000_000 + first;
        expect(line.front()?.order).toBe(first);
        expect(line.front()?.enqueuedAt).toBe(enqueuedAt);
        const popped = line.popFront();
        expect([popped?.order, popped?.enqueuedAt, popped?.ref]).toEqual([
          first,
          enqueuedAt,
          first === undefined ? undefined : first * 3,
        ]);
      }
      expect(line.size).toBe(model.length);
    }
  });
});

describe("memory: body store", () => {
  const megabyte = 1024 * 1024;
  const texts = ["", "plain", "naïve", "日本語", "😀", "\u{1f600}x", "half \ud83d of a pair", "\udc00", "\0"];

  test("every text comes back as it was, and bytes as they were", () => {
    const store = createBodyStore();
    const bodies: JobBody[] = [...texts, ...texts.map((text) => text.repeat(30_000))];
    bodies.push(Uint8Array.of(), Uint8Array.of(0xff, 0, 0xfe), new Uint8Array(3 * megabyte).fill(0xc0));
    const refs = bodies.map((body, at) => store.put(`id-${at}`, body));
    for (const [at, ref] of refs.entries()) {
      const body = bodies[at] as JobBody;
      expect(store.read(ref).id).toBe(`id-${at}`);
      expect(store.read(ref).body).toEqual(body);
      expect(store.size(ref)).toBe(typeof body === "string" ? Buffer.byteLength(body) : body.length);
    }
  });

  test("bytes that were read are nobody else's", () => {
    const store = createBodyStore();
    const given = Uint8Array.of(1, 2, 3);
    const ref = store.put("id", given);
    given[0] = 9;
    (store.read(ref).body as Uint8Array)[1] = 9;
    expect(store.read(ref).body).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("bodies stay what they are while others come and go, and what is free is used again", () => {
    const random = seeded(7);
    const store = createBodyStore();
    const model = new Map<number, { id: string; body: string }>();
    let live = 0;
    for (let step = 0; step < 30_000; step += 1) {
      if (random() < (step % 10_000 < 5_000 ? 0.7 : 0.3)) {
        const length = random() < 0.001 ? 300_000 : Math.floor(random() * 400);
        const body = `${step}${(texts[step % texts.length] as string).repeat(3)}`.padEnd(length, "é.");
        const ref = store.put(`id-${step}`, body);
        expect(model.has(ref)).toBe(false);
        model.set(ref, { id: `id-${step}`, body });
        live += Buffer.byteLength(body);
      } else {
        // Mostly the oldest; now and then any, so that slabs are left with holes.
        const refs = model.keys();
        const ref = refs.next().value;
        if (ref === undefined) continue;
        const other = random() < 0.1 ? (refs.next().value ?? ref) : ref;
        const { body } = model.get(other) as { body: string };
        expect(store.read(other).body).toBe(body);
        store.free(other);
        model.delete(other);
        live -= Buffer.byteLength(body);
      }
      expect(store.usage().count).toBe(model.size);
      // The ids, the rows, and half of a slab for each that a large body could not share.
      expect(store.usage().bytes).toBeLessThan(live * 4 + 8 * megabyte);
    }
    for (const [ref, kept] of model) expect(store.read(ref)).toEqual(kept);
  });

  test("one body in a thousand that stays does not keep the memory of the others", () => {
    const store = createBodyStore();
    const body = "x".repeat(1_000);
    const refs = Array.from({ length: 50_000 }, (_, at) => store.put(`id-${at}`, body));
    expect(store.usage().bytes).toBeGreaterThan(45 * megabyte);
    for (const [at, ref] of refs.entries()) if (at % 1_000 !== 0) store.free(ref);
    expect(store.usage().bytes).toBeLessThan(8 * megabyte);
    for (const [at, ref] of refs.entries()) {
      if (at % 1_000 === 0) expect(store.read(ref)).toEqual({ id: `id-${at}`, body });
    }
  });
});

describe("memory: linked list", () => {
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
        const entry = createJobEntry(`${step}`, step, step, 0, `app/${Math.floor(random() ** 2 * 8)}`);
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
    holdings.add(createJobEntry("unknown", noRef, 0, 0));
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
    ref: 0,
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
