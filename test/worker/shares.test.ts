import { expect, test } from "bun:test";
import type { Endpoint } from "../../src/delivery/endpoint.ts";
import type { Delivery } from "../../src/worker/delivery.ts";
import type { Gate } from "../../src/worker/gate.ts";
import { createLanes, type Grant, type Lanes } from "../../src/worker/lanes.ts";
import { createPermits } from "../../src/worker/permits.ts";

const never = new AbortController().signal;

/** A gate that opens and closes by hand; `set` tells nobody until `announce`, as a hold that ran out. */
function handGate() {
  const listeners: (() => void)[] = [];
  let isClosed = false;
  const gate: Gate = {
    get isClosed() {
      return isClosed;
    },
    isDisabled: false,
    tryStart: () => (isClosed ? Infinity : 0),
    ended: () => undefined,
    onChange: (listener) => void listeners.push(listener),
  };
  return {
    gate,
    set: (closed: boolean) => void (isClosed = closed),
    announce: () => {
      for (const listener of listeners) listener();
    },
  };
}

function delivery(label: string): Delivery {
  return { endpoint: { label } as unknown as Endpoint } as unknown as Delivery;
}

async function takeAll(lanes: Lanes): Promise<Grant[]> {
  const grants: Grant[] = [];
  for (;;) {
    const grant = await lanes.take(never, 1);
    if (grant === null) return grants;
    grants.push(grant);
  }
}

test("an endpoint whose gate closed and opened counts once in the shares, however often", async () => {
  const gates = { a: handGate(), b: handGate() } as Record<string, ReturnType<typeof handGate>>;
  const parked: Delivery[] = [];
  const lanes = createLanes({
    concurrency: 4,
    slots: createPermits(4),
    capacity: 16,
    isSole: false,
    extra: createPermits(0),
    gateOf: ({ endpoint }) => (gates[endpoint.label] as ReturnType<typeof handGate>).gate,
    ownConcurrencyOf: () => null,
    park: (deliveries) => void parked.push(...deliveries),
    giveUp: () => undefined,
    needLoop: () => undefined,
  });
  const a = gates["a"] as ReturnType<typeof handGate>;
  for (let round = 0; round < 5; round += 1) {
    lanes.admit(delivery("a"));
    a.set(true);
    a.announce();
    expect(parked.splice(0)).toHaveLength(1);
    a.set(false);
    if (round % 2 === 0) a.announce();
    // It comes back from the backend, which has nothing else.
    const call = lanes.leaseCall();
    lanes.admit(delivery("a"));
    lanes.leased(1, call);
    for (const grant of await takeAll(lanes)) grant.end(null);
  }
  for (const label of ["a", "a", "a", "a", "b"]) lanes.admit(delivery(label));
  const labels = (await takeAll(lanes)).map((grant) => grant.delivery.endpoint.label);
  expect(labels.sort()).toEqual(["a", "a", "b"]);
});
