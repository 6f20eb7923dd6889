import { testEndpoint } from "../../support/endpoint.ts";
import type { Delivery } from "../../../src/worker/delivery.ts";
import type { Gate, Verdict } from "../../../src/endpoints/gate.ts";
import type { Grant } from "../../../src/worker/schedule/grants.ts";
import { createScheduler, type Scheduler } from "../../../src/worker/schedule/scheduler.ts";
import { createBeyondSlots, createSlots, type Slots } from "../../../src/worker/schedule/slots.ts";

export const never = new AbortController().signal;

/** A gate whose answer is set by hand; `quietly` tells nobody, as a gate never does. */
export interface TestGate extends Gate {
  set(verdict: Verdict): void;
  quietly(verdict: Verdict): void;
  /** Starts that it lets through before it says "later"; Infinity at first. */
  tokens: number;
}

export function testGate(): TestGate {
  const listeners: (() => void)[] = [];
  let verdict: Verdict = "open";
  let started = 0;
  const gate: TestGate = {
    tokens: Infinity,
    ask: () => verdict,
    start() {
      if (verdict !== "open") return verdict;
      if (gate.tokens === 0) return "later";
      gate.tokens -= 1;
      started += 1;
      return started;
    },
    ended: () => undefined,
    onChange: (listener) => void listeners.push(listener),
    quietly: (next) => void (verdict = next),
    set(next) {
      verdict = next;
      for (const listener of listeners) listener();
    },
  };
  return gate;
}

export interface Bench {
  readonly scheduler: Scheduler;
  readonly parked: Delivery[];
  readonly givenUp: Delivery[];
  readonly gates: Map<string, TestGate>;
  /** How often a loop was asked for. */
  loopsWanted: number;
  add: (endpoint: string, count?: number, concurrency?: number) => ("waiting" | "park" | "dead")[];
  /** Takes grants until there is none at once. */
  takeAll: () => Promise<Grant[]>;
}

/** Schedulers of a group's queues, which share slots and gates; `order` has the queue of each start. */
export function groupBench(
  options: { concurrency: number; beyond: number; strategy?: "weighted" | "strict" },
  weights: readonly number[],
): { queues: Bench[]; order: number[] } {
  const order: number[] = [];
  const slots = createSlots({
    total: options.concurrency,
    strategy: options.strategy ?? "weighted",
    beyond: createBeyondSlots(options.beyond),
  });
  const gates = new Map<string, TestGate>();
  const queues = weights.map((weight, index) =>
    bench({ ...options, capacity: 1_000, slots, gates, weight, started: () => order.push(index) }),
  );
  return { queues, order };
}

export function bench(options: {
  concurrency: number;
  capacity?: number;
  beyond?: number;
  isSole?: boolean;
  slots?: Slots;
  gates?: Map<string, TestGate>;
  weight?: number;
  /** Called for each start that no loop waits for. */
  started?: () => void;
}): Bench {
  const gates = options.gates ?? new Map<string, TestGate>();
  const gateOf = (label: string): TestGate => {
    let gate = gates.get(label);
    if (gate === undefined) gates.set(label, (gate = testGate()));
    return gate;
  };
  const parked: Delivery[] = [];
  const givenUp: Delivery[] = [];
  const scheduler = createScheduler({
    slots:
      options.slots ??
      createSlots({
        total: options.concurrency,
        strategy: "weighted",
        beyond: createBeyondSlots(options.beyond ?? 0),
      }),
    weight: options.weight ?? 1,
    capacity: options.capacity ?? 16,
    isSole: options.isSole ?? false,
    gateOf: ({ endpoint }) => gateOf(endpoint.label),
    ownConcurrencyOf: ({ limits }) => limits.concurrency,
    park: (deliveries) => parked.push(...deliveries),
    giveUp: (deliveries) => givenUp.push(...deliveries),
    needLoop: () => {
      self.loopsWanted += 1;
      options.started?.();
    },
  });
  const self: Bench = {
    scheduler,
    parked,
    givenUp,
    gates,
    loopsWanted: 0,
    add: (label, count = 1, concurrency) =>
      Array.from({ length: count }, () => {
        const endpoint = testEndpoint({ label, limits: concurrency === undefined ? {} : { concurrency } });
        return scheduler.admit({ endpoint } as unknown as Delivery);
      }),
    async takeAll() {
      const grants: Grant[] = [];
      for (;;) {
        const grant = await scheduler.take(never, 0);
        if (grant === null) return grants;
        grants.push(grant);
      }
    },
  };
  return self;
}

export const labels = (grants: readonly Grant[]): string[] =>
  grants.map(({ delivery }) => delivery.endpoint.label);

export const countOf = (grants: readonly Grant[], label: string): number =>
  labels(grants).filter((one) => one === label).length;
