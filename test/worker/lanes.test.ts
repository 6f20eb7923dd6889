import { describe, expect, test } from "bun:test";
import type { Endpoint } from "../../src/delivery/endpoint.ts";
import type { Delivery } from "../../src/worker/delivery.ts";
import type { Gate } from "../../src/worker/gate.ts";
import { createLanes, type Grant, type Lanes } from "../../src/worker/lanes.ts";
import { createPermits } from "../../src/worker/permits.ts";
import { until } from "../support/until.ts";

const never = new AbortController().signal;

interface TestGate extends Gate {
  /** Changes the gate and says so. */
  set(state: Partial<GateState>): void;
  quietly(state: Partial<GateState>): void;
}
type GateState = { closed: boolean; disabled: boolean; waitMs: number };

function openGate(): TestGate {
  const state = { closed: false, disabled: false, waitMs: 0 };
  const listeners: (() => void)[] = [];
  return {
    get isClosed() {
      return state.closed;
    },
    get isDisabled() {
      return state.disabled;
    },
    tryStart: () => (state.closed || state.disabled ? Infinity : state.waitMs),
    ended: () => undefined,
    onChange: (listener) => void listeners.push(listener),
    quietly: (next) => void Object.assign(state, next),
    set(next) {
      Object.assign(state, next);
      for (const listener of listeners) listener();
    },
  };
}

interface Bench {
  lanes: Lanes;
  parked: Delivery[];
  givenUp: Delivery[];
  loopsWanted: number;
  gates: Map<string, TestGate>;
  add: (endpoint: string, count?: number, concurrency?: number) => ("waiting" | "full" | "disabled")[];
  /** Takes grants until there is none at once. */
  takeAll: () => Promise<Grant[]>;
}

function bench(options: { concurrency: number; capacity?: number; extra?: number; isSole?: boolean }): Bench {
  const gates = new Map<string, TestGate>();
  const gateOf = (label: string) => {
    let gate = gates.get(label);
    if (gate === undefined) gates.set(label, (gate = openGate()));
    return gate;
  };
  const self = { parked: [] as Delivery[], givenUp: [] as Delivery[], loopsWanted: 0, gates } as Bench;
  self.lanes = createLanes({
    concurrency: options.concurrency,
    slots: createPermits(options.concurrency),
    capacity: options.capacity ?? 16,
    isSole: options.isSole ?? false,
    extra: createPermits(options.extra ?? 0),
    gateOf: ({ endpoint }) => gateOf(endpoint.label),
    ownConcurrencyOf: ({ endpoint }) => endpoint.limits?.concurrency ?? null,
    park: (deliveries) => self.parked.push(...deliveries),
    giveUp: (deliveries) => self.givenUp.push(...deliveries),
    needLoop: () => (self.loopsWanted += 1),
  });
  self.add = (label, count = 1, concurrency) =>
    Array.from({ length: count }, () => {
      const endpoint = { label, ...(concurrency ? { limits: { concurrency } } : {}) } as unknown as Endpoint;
      return self.lanes.admit({ endpoint } as unknown as Delivery);
    });
  self.takeAll = async () => {
    const grants: Grant[] = [];
    for (;;) {
      const grant = await self.lanes.take(never, 1);
      if (grant === null) return grants;
      grants.push(grant);
    }
  };
  return self;
}

const labels = (grants: readonly Grant[]): string[] => grants.map(({ delivery }) => delivery.endpoint.label);
const countOf = (grants: readonly Grant[], label: string): number =>
  labels(grants).filter((one) => one === label).length;

describe("turns", () => {
  test("a lone endpoint may use every shared slot, and none beyond", async () => {
    const { lanes, add, takeAll } = bench({ concurrency: 5, extra: 10 });
    add("a", 8);
    expect((await takeAll()).length).toBe(5);
    expect(lanes.running).toBe(5);
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
    const { lanes, add } = bench({ concurrency: 1 });
    add("a", 3);
    add("b", 3);
    const order: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      const grant = (await lanes.take(never, 5)) as Grant;
      order.push(grant.delivery.endpoint.label);
      grant.end({ kind: "delivered", status: 200, durationMs: 1 });
    }
    expect(order.filter((label) => label === "a").length).toBe(3);
    expect(order.slice(0, 4).sort()).toEqual(["a", "a", "b", "b"]);
  });

  test("an endpoint with nothing in flight starts one beyond the shared slots", async () => {
    const one = bench({ concurrency: 2, extra: 4 });
    one.add("slow", 4);
    expect((await one.takeAll()).length).toBe(2);
    one.add("fast", 3);
    const grants = await one.takeAll();
    expect(labels(grants)).toEqual(["fast"]);
    expect(one.lanes.running).toBe(3);
  });

  test("a slot beyond the shared ones asks for a loop when all are busy", async () => {
    const one = bench({ concurrency: 1, extra: 4 });
    one.add("slow", 1);
    await one.takeAll();
    const before = one.loopsWanted;
    one.add("fast", 1);
    expect(one.loopsWanted).toBeGreaterThan(before);
  });

  test("nothing starts beyond webhooks.max_in_flight", async () => {
    const one = bench({ concurrency: 1, extra: 1, capacity: 64 });
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
    const one = bench({ concurrency: 2, extra: 2 });
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
    const taken = one.lanes.take(never, 5_000);
    one.add("a");
    expect((await taken)?.delivery.endpoint.label).toBe("a");
  });

  test("take ends with null when its signal aborts, and loses no grant", async () => {
    const one = bench({ concurrency: 1 });
    const abort = new AbortController();
    const taken = one.lanes.take(abort.signal, 5_000);
    abort.abort();
    expect(await taken).toBeNull();
    one.add("a");
    expect((await one.takeAll()).length).toBe(1);
  });
});

describe("room", () => {
  test("while two endpoints have work, one may fill its part only", () => {
    const one = bench({ concurrency: 1, capacity: 8 });
    expect(one.add("a", 8)).not.toContain("full");
    one.add("b");
    expect(one.add("a")).toEqual(["full"]);
    expect(one.add("b", 3)).toEqual(["waiting", "waiting", "waiting"]);
    expect(one.add("b")).toEqual(["full"]);
  });

  test("when the room is short, a lane that starts nothing is cut to half of what runs, and takes no more", async () => {
    const one = bench({ concurrency: 4, capacity: 8 });
    one.add("a", 4);
    const grants = await one.takeAll();
    expect(grants.length).toBe(4);
    expect(one.add("a", 8)).not.toContain("full");
    expect(one.lanes.space()).toBe(2);
    // Ends when looks at the lane's pace have found nothing started, and what waits in vain is parked.
    await one.lanes.waitForSpace(8, never);
    expect(one.parked.length).toBe(6);
    expect(one.lanes.space()).toBe(8);
    expect(one.add("a")).toEqual(["full"]);
    expect([...one.lanes.leaseCall().closedKeys]).toEqual(["a"]);
    let opened = 0;
    one.lanes.onOpen(() => (opened += 1));
    grants[0]?.end(null);
    await one.takeAll();
    expect(opened).toBeGreaterThan(0);
    expect([...one.lanes.leaseCall().closedKeys]).toEqual([]);
    // Not more than it can use comes back.
    expect(one.lanes.leaseCall().parkedMax).toBe(1);
  });

  test("where there is one endpoint only, nothing is parked for room", async () => {
    const one = bench({ concurrency: 1, capacity: 4, isSole: true });
    one.add("a", 8);
    const [grant] = await one.takeAll();
    const waiting = one.lanes.waitForSpace(1, never);
    for (let ended = grant; ended !== undefined && one.lanes.space() === 0; [ended] = await one.takeAll()) {
      ended.end(null);
    }
    await waiting;
    expect(one.parked).toEqual([]);
  });

  test("waiting for space ends when something starts", async () => {
    const one = bench({ concurrency: 1, capacity: 4 });
    one.add("a", 6);
    const [grant] = await one.takeAll();
    const waiting = one.lanes.waitForSpace(1, never);
    grant?.end(null);
    await one.takeAll();
    await waiting;
    expect(one.lanes.space()).toBeGreaterThan(0);
    expect(one.parked).toEqual([]);
  });

  test("a lane that starts all it has may have more again", async () => {
    const one = bench({ concurrency: 2, capacity: 8 });
    one.add("a", 2);
    let running = await one.takeAll();
    one.add("a", 8);
    await one.lanes.waitForSpace(8, never);
    expect(one.add("a")).toEqual(["full"]);
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
    one.lanes.leased(1, call);
    one.gates.get("a")?.set({ closed: true });
    one.add("a", 4);
    one.lanes.leased(4, call);
    expect(one.lanes.leaseCall().max).toBe(8);
    one.add("a", 7);
    one.add("b");
    one.lanes.leased(8, { ...call, max: 8 });
    expect(one.lanes.leaseCall().max).toBe(4);
  });

  test("a drained lane grants nothing and gives back last come first", async () => {
    const one = bench({ concurrency: 1 });
    one.add("a", 2);
    one.add("b", 1);
    expect(one.lanes.drain().map(({ endpoint }) => endpoint.label)).toEqual(["b", "a", "a"]);
    expect(await one.lanes.take(never, 1)).toBeNull();
    expect(one.add("a")).toEqual(["full"]);
  });
});

describe("gates", () => {
  test("what waits is parked when the gate closes, and its key is closed until it opens", async () => {
    const one = bench({ concurrency: 1 });
    one.add("a", 3);
    const [grant] = await one.takeAll();
    one.gates.get("a")?.set({ closed: true });
    expect(one.parked.length).toBe(2);
    expect([...one.lanes.leaseCall().closedKeys]).toEqual(["a"]);
    expect(one.add("a")).toEqual(["full"]);
    grant?.end(null);
    let opened = 0;
    one.lanes.onOpen(() => (opened += 1));
    one.gates.get("a")?.set({ closed: false });
    expect(opened).toBe(1);
    expect(one.add("a")).toEqual(["waiting"]);
    expect((await one.takeAll()).length).toBe(1);
  });

  test("a closed endpoint leaves its share to the others", async () => {
    const one = bench({ concurrency: 4 });
    one.add("a", 4);
    one.gates.get("a")?.set({ closed: true });
    one.add("b", 6);
    expect((await one.takeAll()).length).toBe(4);
  });

  test("a disabled endpoint's jobs are given up", () => {
    const one = bench({ concurrency: 1 });
    one.add("a", 2);
    one.gates.get("a")?.set({ disabled: true });
    expect(one.givenUp.length).toBe(2);
    expect(one.add("a")).toEqual(["disabled"]);
  });

  test("a gate that says later is asked again then, without anybody telling", async () => {
    const one = bench({ concurrency: 1 });
    one.add("a");
    for (const grant of await one.takeAll()) grant.end(null);
    const gate = one.gates.get("a");
    gate?.set({ waitMs: 30 });
    one.add("a");
    expect(await one.lanes.take(never, 1)).toBeNull();
    const taken = one.lanes.take(never, 5_000);
    gate?.quietly({ waitMs: 0 });
    expect((await taken)?.delivery.endpoint.label).toBe("a");
  });
});

test("slots and counts are whole again after a random mix of everything", async () => {
  let seed = 42;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const one = bench({ concurrency: 6, capacity: 24, extra: 3 });
  const running: Grant[] = [];
  let admitted = 0;
  let ended = 0;
  for (let step = 0; step < 5_000; step += 1) {
    const roll = random();
    const label = `e${Math.floor(random() * 9)}`;
    if (roll < 0.4) {
      if (one.lanes.space() > 0) admitted += one.add(label).filter((state) => state === "waiting").length;
    } else if (roll < 0.65) {
      const grant = await one.lanes.take(never, 0);
      if (grant !== null) running.push(grant);
    } else if (roll < 0.93) {
      const [grant] = running.splice(Math.floor(random() * running.length), 1);
      if (grant !== undefined) {
        ended += 1;
        grant.end(null);
      }
    } else if (roll < 0.95) await one.lanes.waitForSpace(12, AbortSignal.timeout(15));
    else if (one.gates.has(label)) one.gates.get(label)?.set({ closed: random() < 0.3 });
    expect(one.lanes.running).toBeLessThanOrEqual(9);
  }
  for (const gate of one.gates.values()) gate.set({ closed: false });
  do {
    running.push(...(await one.takeAll()));
    for (const grant of running.splice(0)) {
      ended += 1;
      grant.end(null);
    }
    running.push(...(await one.takeAll()));
  } while (running.length > 0);
  expect(one.lanes.running).toBe(0);
  expect(ended + one.parked.length).toBe(admitted);
  expect(one.lanes.space()).toBe(24);
}, 60_000);
