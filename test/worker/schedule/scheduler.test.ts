import { describe, expect, test } from "bun:test";
import { until } from "../../support/until.ts";
import type { Grant } from "../../../src/worker/schedule/grants.ts";
import { bench, countOf, labels, never } from "./bench.ts";

describe("turns", () => {
  test("a lone endpoint may use every shared slot, and none beyond", async () => {
    const { scheduler, add, takeAll } = bench({ concurrency: 5, beyond: 10 });
    add("a", 8);
    expect((await takeAll()).length).toBe(5);
    expect(scheduler.running).toBe(5);
  });

  test("each of two endpoints holds at most half of the slots", async () => {
    const { add, takeAll } = bench({ concurrency: 8 });
    add("a", 8);
    add("b", 8);
    const grants = await takeAll();
    expect(countOf(grants, "a")).toBe(4);
    expect(countOf(grants, "b")).toBe(4);
  });

  test("turns go round between endpoints", async () => {
    const { scheduler, add } = bench({ concurrency: 1 });
    add("a", 3);
    add("b", 3);
    const order: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      const grant = (await scheduler.take(never, 5)) as Grant;
      order.push(grant.delivery.endpoint.label);
      grant.end({ kind: "delivered", status: 200, durationMs: 1 });
    }
    expect(order.filter((label) => label === "a").length).toBe(3);
    expect(order.slice(0, 4).sort()).toEqual(["a", "a", "b", "b"]);
  });

  test("an endpoint with nothing in flight starts one beyond the shared slots", async () => {
    const one = bench({ concurrency: 2, beyond: 4 });
    one.add("slow", 4);
    expect((await one.takeAll()).length).toBe(2);
    one.add("fast", 3);
    const grants = await one.takeAll();
    expect(labels(grants)).toEqual(["fast"]);
    expect(one.scheduler.running).toBe(3);
  });

  test("a slot beyond the shared ones asks for a loop when all are busy", async () => {
    const one = bench({ concurrency: 1, beyond: 4 });
    one.add("slow", 1);
    await one.takeAll();
    const before = one.loopsWanted;
    one.add("fast", 1);
    await Promise.resolve();
    expect(one.loopsWanted).toBeGreaterThan(before);
  });

  test("nothing starts beyond webhooks.max_in_flight", async () => {
    const one = bench({ concurrency: 1, beyond: 1, capacity: 64 });
    for (const label of ["a", "b", "c", "d"]) one.add(label);
    const grants = await one.takeAll();
    expect(grants.length).toBe(2);
    grants[0]?.end(null);
    expect((await one.takeAll()).length).toBe(1);
  });

  test("an endpoint's own concurrency replaces its share", async () => {
    const one = bench({ concurrency: 8, capacity: 64 });
    one.add("a", 8, 2);
    one.add("b", 8);
    const grants = await one.takeAll();
    expect(countOf(grants, "a")).toBe(2);
    expect(countOf(grants, "b")).toBe(4);
  });

  test("a lane that stood at its share goes on when another has no more work", async () => {
    const one = bench({ concurrency: 4 });
    one.add("a", 6);
    one.add("b", 1);
    const grants = await one.takeAll();
    expect(countOf(grants, "a")).toBe(2);
    grants.find(({ delivery }) => delivery.endpoint.label === "b")?.end(null);
    expect(labels(await one.takeAll())).toEqual(["a", "a"]);
  });

  test("a lane whose last attempt ends while the slots are full is owed a first one again", async () => {
    const one = bench({ concurrency: 2, beyond: 2 });
    one.add("a", 2);
    const [first] = await one.takeAll();
    one.add("b", 2);
    const grants = await one.takeAll();
    expect(labels(grants)).toEqual(["b"]);
    grants[0]?.end(null);
    expect(labels(await one.takeAll())).toEqual(["b"]);
    first?.end(null);
  });

  test("a waiting taker gets what is admitted later", async () => {
    const one = bench({ concurrency: 1 });
    const taken = one.scheduler.take(never, 5_000);
    one.add("a");
    expect((await taken)?.delivery.endpoint.label).toBe("a");
  });

  test("take ends with null when its signal aborts, and loses no grant", async () => {
    const one = bench({ concurrency: 1 });
    const abort = new AbortController();
    const taken = one.scheduler.take(abort.signal, 5_000);
    abort.abort();
    expect(await taken).toBeNull();
    one.add("a");
    expect((await one.takeAll()).length).toBe(1);
  });
});

describe("room", () => {
  test("while two endpoints have work, one may fill its part only", () => {
    const one = bench({ concurrency: 1, capacity: 8 });
    expect(one.add("a", 8)).not.toContain("park");
    one.add("b");
    expect(one.add("a")).toEqual(["park"]);
    expect(one.add("b", 3)).toEqual(["waiting", "waiting", "waiting"]);
    expect(one.add("b")).toEqual(["park"]);
  });

  test("when the room is short, a lane that starts nothing is cut to half of what runs, and takes no more", async () => {
    const one = bench({ concurrency: 4, capacity: 8 });
    one.add("a", 4);
    const grants = await one.takeAll();
    expect(grants.length).toBe(4);
    expect(one.add("a", 8)).not.toContain("park");
    expect(one.scheduler.prefetch.space).toBe(2);
    // Ends when looks at the lane's pace have found nothing started, and what waits in vain is parked.
    await one.scheduler.prefetch.room(never);
    expect(one.parked.length).toBeGreaterThanOrEqual(4);
    expect(one.scheduler.prefetch.space).toBeGreaterThanOrEqual(6);
    expect(one.add("a")).toEqual(["park"]);
    expect([...one.scheduler.prefetch.next()!.closedKeys]).toEqual(["a"]);
    let opened = 0;
    one.scheduler.prefetch.onOpen(() => (opened += 1));
    for (const grant of grants) grant.end(null);
    await one.takeAll();
    expect(opened).toBeGreaterThan(0);
    expect([...(one.scheduler.prefetch.next()?.closedKeys ?? ["no call"])]).toEqual([]);
    // Not more than it can use comes back.
    expect(one.scheduler.prefetch.next()?.parkedMax).toBeLessThanOrEqual(2);
  });

  test("where there is one endpoint only, nothing is parked for room", async () => {
    const one = bench({ concurrency: 1, capacity: 4, isSole: true });
    one.add("a", 8);
    const [grant] = await one.takeAll();
    const waiting = one.scheduler.prefetch.room(never);
    for (
      let ended = grant;
      ended !== undefined && one.scheduler.prefetch.space === 0;
      [ended] = await one.takeAll()
    ) {
      ended.end(null);
    }
    await waiting;
    expect(one.parked).toEqual([]);
  });

  test("waiting for space ends when something starts", async () => {
    const one = bench({ concurrency: 1, capacity: 4 });
    one.add("a", 6);
    const [grant] = await one.takeAll();
    const waiting = one.scheduler.prefetch.room(never);
    grant?.end(null);
    await one.takeAll();
    await waiting;
    expect(one.scheduler.prefetch.space).toBeGreaterThan(0);
    expect(one.parked).toEqual([]);
  });

  test("a lane that starts all it has may have more again", async () => {
    const one = bench({ concurrency: 2, capacity: 8 });
    one.add("a", 2);
    let running = await one.takeAll();
    one.add("a", 8);
    await one.scheduler.prefetch.room(never);
    expect(one.add("a")).toEqual(["park"]);
    // Fast now: what comes is gone before the next look.
    const isWide = async (): Promise<boolean> => {
      for (const grant of running) grant.end(null);
      running = await one.takeAll();
      return one.add("a", 4).every((state) => state === "waiting");
    };
    await until(isWide, { what: "a wider window" });
  });

  test("while what comes is only parked, more is leased at a time", () => {
    const one = bench({ concurrency: 1, capacity: 4 });
    const call = { max: 4, closedKeys: new Set<string>(), parkedMax: 1 };
    one.add("a");
    one.scheduler.prefetch.brought(1, call);
    one.gates.get("a")?.set("closed");
    one.add("a", 4);
    one.scheduler.prefetch.brought(4, call);
    expect(one.scheduler.prefetch.next()?.max).toBe(8);
    one.add("a", 7);
    one.add("b");
    one.scheduler.prefetch.brought(8, { ...call, max: 8 });
    expect(one.scheduler.prefetch.next()?.max).toBe(4);
  });

  test("a drained lane grants nothing and gives back last come first", async () => {
    const one = bench({ concurrency: 1 });
    one.add("a", 2);
    one.add("b", 1);
    expect(one.scheduler.drain().map(({ endpoint }) => endpoint.label)).toEqual(["b", "a", "a"]);
    expect(await one.scheduler.take(never, 1)).toBeNull();
    expect(one.add("a")).toEqual(["park"]);
  });
});

describe("gates", () => {
  test("what waits is parked when the gate closes, and its key is closed until it opens", async () => {
    const one = bench({ concurrency: 1 });
    one.add("a", 3);
    const [grant] = await one.takeAll();
    one.gates.get("a")?.set("closed");
    expect(one.parked.length).toBe(2);
    expect([...one.scheduler.prefetch.next()!.closedKeys]).toEqual(["a"]);
    expect(one.add("a")).toEqual(["park"]);
    grant?.end(null);
    let opened = 0;
    one.scheduler.prefetch.onOpen(() => (opened += 1));
    one.gates.get("a")?.set("open");
    expect(opened).toBe(1);
    expect(one.add("a")).toEqual(["waiting"]);
    expect((await one.takeAll()).length).toBe(1);
  });

  test("a closed endpoint leaves its share to the others", async () => {
    const one = bench({ concurrency: 4 });
    one.add("a", 4);
    one.gates.get("a")?.set("closed");
    one.add("b", 6);
    expect((await one.takeAll()).length).toBe(4);
  });

  test("a disabled endpoint's jobs are given up", () => {
    const one = bench({ concurrency: 1 });
    one.add("a", 2);
    one.gates.get("a")?.set("disabled");
    expect(one.givenUp.length).toBe(2);
    expect(one.add("a")).toEqual(["dead"]);
  });

  test("a lane whose gate says later starts when the gate says that it may", async () => {
    const one = bench({ concurrency: 1 });
    one.add("a");
    for (const grant of await one.takeAll()) grant.end(null);
    const gate = one.gates.get("a");
    gate?.set("later");
    one.add("a");
    expect(await one.scheduler.take(never, 1)).toBeNull();
    const taken = one.scheduler.take(never, 5_000);
    gate?.set("open");
    expect((await taken)?.delivery.endpoint.label).toBe("a");
  });

  test("a gate that refuses a start it had allowed is asked again when it says so, and costs no slot", async () => {
    const one = bench({ concurrency: 2 });
    one.add("a", 3);
    const gate = one.gates.get("a");
    if (gate !== undefined) gate.tokens = 1;
    expect((await one.takeAll()).length).toBe(1);
    expect(one.scheduler.lanes.get("a")?.state).toBe("gated");
    one.add("b");
    expect(labels(await one.takeAll())).toEqual(["b"]);
    if (gate !== undefined) gate.tokens = 5;
    gate?.set("open");
    expect((await one.takeAll()).length).toBe(0);
  });
});

test("slots and counts are whole again after a random mix of everything", async () => {
  let seed = 42;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const one = bench({ concurrency: 6, capacity: 24, beyond: 3 });
  const running: Grant[] = [];
  let admitted = 0;
  let ended = 0;
  for (let step = 0; step < 5_000; step += 1) {
    const roll = random();
    const label = `e${Math.floor(random() * 9)}`;
    if (roll < 0.4) {
      if (one.scheduler.prefetch.space > 0)
        admitted += one.add(label).filter((state) => state === "waiting").length;
    } else if (roll < 0.65) {
      const grant = await one.scheduler.take(never, 0);
      if (grant !== null) running.push(grant);
    } else if (roll < 0.93) {
      const [grant] = running.splice(Math.floor(random() * running.length), 1);
      if (grant !== undefined) {
        ended += 1;
        grant.end(null);
      }
    } else if (roll < 0.95) await one.scheduler.prefetch.room(AbortSignal.timeout(15));
    else if (one.gates.has(label)) one.gates.get(label)?.set(random() < 0.3 ? "closed" : "open");
    expect(one.scheduler.running).toBeLessThanOrEqual(9);
  }
  for (const gate of one.gates.values()) gate.set("open");
  do {
    running.push(...(await one.takeAll()));
    for (const grant of running.splice(0)) {
      ended += 1;
      grant.end(null);
    }
    running.push(...(await one.takeAll()));
  } while (running.length > 0);
  expect(one.scheduler.running).toBe(0);
  expect(ended + one.parked.length).toBe(admitted);
  expect(one.scheduler.prefetch.space).toBe(24);
}, 240_000);
