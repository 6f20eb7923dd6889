import { expect, test } from "bun:test";
import { testEndpoint } from "../../support/endpoint.ts";
import type { Delivery } from "../../../src/worker/delivery.ts";
import type { Verdict } from "../../../src/endpoints/gate.ts";
import type { Grant } from "../../../src/worker/schedule/grants.ts";
import { createScheduler, type Scheduler } from "../../../src/worker/schedule/scheduler.ts";
import { createBeyondSlots, createSlots } from "../../../src/worker/schedule/slots.ts";
import { createRandom } from "../../jobs/odd-json.ts";
import { never, testGate, type TestGate } from "./bench.ts";

const events = process.env["HOOKLINE_LONG"] === "1" ? 200_000 : 10_000;
const seed = Number(process.env["HOOKLINE_SEED"] ?? 20_261_130);

interface Numbered extends Delivery {
  readonly number: number;
}

/** One endpoint of one queue, as the model has it: no states, only what waits and what runs. */
interface Known {
  waiting: number[];
  running: number;
  hasParked: boolean;
}

/** A queue of the model beside the scheduler it is compared with. */
interface Queue {
  readonly scheduler: Scheduler;
  readonly lanes: Map<string, Known>;
  /** What the scheduler parked or gave up since this was looked at last. */
  readonly aside: Numbered[];
}

const concurrency = 6;
const beyondTotal = 4;
const own: Readonly<Record<string, number | null>> = { a: null, b: null, c: 1, d: 3, e: null, f: null, g: 2 };

test(`${events} random events leave the scheduler as a plain model has it (HOOKLINE_SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const gates = new Map<string, TestGate>();
  const verdicts = new Map<string, Verdict>();
  const gateOf = (label: string): TestGate => {
    const gate = gates.get(label) ?? testGate();
    gates.set(label, gate);
    return gate;
  };
  const beyond = createBeyondSlots(beyondTotal);
  const slots = createSlots({ total: concurrency, strategy: "weighted", beyond });
  const queues = [1, 2].map((weight): Queue => {
    const aside: Numbered[] = [];
    const put = (deliveries: readonly Delivery[]): void => void aside.push(...(deliveries as Numbered[]));
    const scheduler = createScheduler({
      slots,
      weight,
      capacity: 16,
      isSole: false,
      gateOf: ({ endpoint }) => gateOf(endpoint.label),
      ownConcurrencyOf: ({ label }) => own[label] ?? null,
      park: put,
      giveUp: put,
      needLoop: () => undefined,
    });
    return { scheduler, lanes: new Map(), aside };
  });
  const running: { grant: Grant; queue: Queue; label: string }[] = [];
  let numbered = 0;

  const known = (queue: Queue, label: string): Known => {
    let lane = queue.lanes.get(label);
    if (lane === undefined) queue.lanes.set(label, (lane = { waiting: [], running: 0, hasParked: false }));
    return lane;
  };
  const verdictOf = (label: string): Verdict => verdicts.get(label) ?? "open";

  /** What was put aside leaves the model's lanes, from their ends. */
  const noteAside = (): void => {
    for (const queue of queues) {
      for (const { number, endpoint } of queue.aside.splice(0)) {
        const lane = known(queue, endpoint.label);
        const at = lane.waiting.indexOf(number);
        expect(at).toBeGreaterThanOrEqual(0);
        lane.waiting.splice(at, 1);
        if (verdictOf(endpoint.label) !== "disabled") lane.hasParked = true;
      }
    }
  };
  const runningIn = (queue: Queue): number =>
    [...queue.lanes.values()].reduce((sum, lane) => sum + lane.running, 0);
  /** Takes every grant that there is: each lane's in the order of admission, no lane beyond its limits. */
  const noteGrants = async (): Promise<void> => {
    // What was admitted together is offered slots together, at the end of the tick.
    await Promise.resolve();
    for (const queue of queues) {
      for (let taken = runningIn(queue); taken < queue.scheduler.running; taken += 1) {
        const grant = await queue.scheduler.take(never, 1_000);
        if (grant === null) throw new Error("the scheduler counts an attempt that it does not hand out");
        const { number, endpoint } = grant.delivery as Numbered;
        const lane = known(queue, endpoint.label);
        expect([endpoint.label, number]).toEqual([endpoint.label, lane.waiting.shift() ?? -1]);
        lane.running += 1;
        running.push({ grant, queue, label: endpoint.label });
        expect(lane.running).toBeLessThanOrEqual(own[endpoint.label] ?? concurrency);
      }
    }
  };
  /** Endpoints with work, from the plain facts. */
  const activeIn = (queue: Queue): number =>
    [...queue.lanes].filter(
      ([label, lane]) =>
        lane.running > 0 ||
        lane.waiting.length > 0 ||
        (queue.scheduler.lanes.get(label)?.mayHaveParked === true && verdictOf(label) !== "closed"),
    ).length;
  const isAnywhere = (label: string): boolean => running.some((one) => one.label === label);
  const check = (): void => {
    expect(running.length).toBeLessThanOrEqual(concurrency + beyondTotal);
    let mayStart = 0;
    let mayStartFirst = 0;
    for (const queue of queues) {
      const share = Math.max(1, Math.floor(concurrency / Math.max(1, activeIn(queue))));
      let inFlight = 0;
      for (const [label, lane] of queue.lanes) {
        const seen = queue.scheduler.lanes.get(label);
        expect([label, seen?.waiting.length, seen?.running]).toEqual([
          label,
          lane.waiting.length,
          lane.running,
        ]);
        inFlight += lane.running;
        const verdict = verdictOf(label);
        const state =
          lane.waiting.length === 0
            ? "idle"
            : verdict === "full"
              ? "capped"
              : verdict !== "open"
                ? "gated"
                : !isAnywhere(label)
                  ? "first"
                  : lane.running < (own[label] ?? share)
                    ? "next"
                    : "capped";
        // A share that has shrunk, and an attempt that another queue has begun, are noticed at the lane's next turn.
        const accepted = state === "capped" ? ["capped", "next"] : [state];
        if (state === "next" && lane.running === 0) accepted.push("first");
        expect(accepted).toContain(seen?.state as string);
        if (state === "first") mayStartFirst += 1;
        if (state === "first" || state === "next") mayStart += 1;
        if (verdict === "closed" || verdict === "disabled") expect(lane.waiting.length).toBe(0);
      }
      expect(queue.scheduler.running).toBe(inFlight);
    }
    // No slot stands idle while somebody could use it.
    if (running.length < concurrency) expect(mayStart).toBe(0);
    // Nor one beyond them, while an endpoint with nothing in flight could.
    if (mayStartFirst > 0) expect(running.length).toBe(concurrency + beyondTotal);
  };

  for (let event = 0; event < events; event += 1) {
    const queue = pick(queues);
    const label = pick(Object.keys(own));
    const roll = random();
    if (roll < 0.5) {
      const call = queue.scheduler.prefetch.next();
      const count = call === null ? 0 : Math.min(Math.floor(random() * 6), call.max);
      for (let number = 0; number < count; number += 1) {
        const to = random() < 0.7 ? label : pick(Object.keys(own));
        numbered += 1;
        const endpoint = testEndpoint({ label: to });
        const answer = queue.scheduler.admit({ endpoint, number: numbered } as unknown as Numbered);
        noteAside();
        if (answer === "waiting") known(queue, to).waiting.push(numbered);
        else known(queue, to);
        expect(answer === "dead").toBe(verdictOf(to) === "disabled");
      }
      if (call !== null) queue.scheduler.prefetch.brought(count, call);
    } else if (roll < 0.9) {
      const [ended] = running.splice(Math.floor(random() * running.length), 1);
      if (ended !== undefined) {
        known(ended.queue, ended.label).running -= 1;
        ended.grant.end(random() < 0.1 ? null : { kind: "delivered", status: 200, durationMs: 1 });
      }
    } else if (roll < 0.98) {
      const verdict = pick<Verdict>(["open", "open", "open", "full", "later", "closed", "disabled"]);
      verdicts.set(label, verdict);
      gateOf(label).set(verdict);
    } else {
      await queue.scheduler.prefetch.room(AbortSignal.timeout(5));
    }
    noteAside();
    await noteGrants();
    noteAside();
    check();
  }

  // All gates open, nothing is left behind.
  for (const [label, gate] of gates) {
    verdicts.set(label, "open");
    gate.set("open");
  }
  // What the gates told is offered slots at the end of the tick.
  await noteGrants();
  while (running.length > 0 || queues.some(({ scheduler }) => scheduler.running > 0)) {
    await noteGrants();
    for (const { grant, queue, label } of running.splice(0)) {
      known(queue, label).running -= 1;
      grant.end(null);
    }
    await noteGrants();
  }
  for (const queue of queues) {
    expect(
      [...queue.scheduler.lanes.values()].map(({ waiting, running: inFlight }) => waiting.length + inFlight),
    ).toEqual([...queue.scheduler.lanes].map(() => 0));
    expect(queue.scheduler.drain()).toEqual([]);
  }
}, 120_000);
