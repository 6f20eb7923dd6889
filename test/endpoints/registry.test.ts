import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { createLive } from "../../src/delivery/live.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import { silentLogger } from "../../src/log.ts";
import { createEndpointGates } from "../../src/endpoints/registry.ts";
import type { EndpointGate } from "../../src/endpoints/state.ts";
import { createSharedStore, type SharedStore } from "../support/shared-state.ts";
import { until } from "../support/until.ts";

const config = v.parse(configSchema, {
  apps: [
    {
      id: "shop",
      key: "key",
      secret: "secret",
      webhooks: [
        {
          name: "main",
          url: "http://127.0.0.1:1/",
          event_types: ["a"],
          on_gone: "disable",
          gone_threshold: 2,
          breaker: { min_attempts: 1 },
        },
      ],
    },
  ],
  endpoints: { billing: { url: "http://127.0.0.1:1/", on_gone: "disable", gone_threshold: 2 } },
});

const gone: Outcome = { kind: "http_status", status: 410, retryAfterMs: null, durationMs: 1 };
const failed: Outcome = { kind: "http_status", status: 500, retryAfterMs: null, durationMs: 1 };

/** One attempt that came to this; an endpoint that lets none start has had one of before. */
function attempt(gate: EndpointGate, outcome: Outcome): void {
  const started = gate.start();
  gate.ended(typeof started === "number" ? started : 0, outcome);
}

/** The gates of one process. */
function createProcess(store?: SharedStore) {
  const directory = createDirectory(config);
  const gates = createEndpointGates({
    live: createLive({ config, directory }),
    clock: systemClock,
    log: silentLogger,
    shared: store?.connect(),
  });
  const [main, billing] = [directory.apps[0]!.endpoints[0]!, directory.named[0]!];
  return { gates, main, billing, [Symbol.dispose]: () => gates.close() };
}

describe("modes without a shared backend", () => {
  test("hold in this process, and say so", async () => {
    using one = createProcess();
    using other = createProcess();
    await one.gates.load();
    await one.gates.setMode(one.main, "paused");
    expect(one.gates.scope).toBe("process");
    expect(one.gates.of(one.main).ask()).toBe("closed");
    expect(other.gates.of(other.main).mode).toBe("enabled");
  });
});

describe("modes on a shared backend", () => {
  test("what one process pauses, disables or enables is so in all", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    using other = createProcess(store);
    expect(one.gates.scope).toBe("cluster");
    for (const mode of ["paused", "disabled", "enabled"] as const) {
      await one.gates.setMode(one.main, mode);
      await one.gates.setMode(one.billing, mode);
      expect(other.gates.all().map((gate) => gate.mode)).toEqual([mode, mode]);
    }
    expect(store.values.size).toBe(0);
  });

  test("a process that starts later takes them over before it consumes", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    await one.gates.setMode(one.billing, "disabled");
    using late = createProcess(store);
    expect(late.gates.of(late.billing).mode).toBe("enabled");
    await late.gates.load();
    expect(late.gates.of(late.billing).ask()).toBe("disabled");
    expect(late.gates.of(late.main).mode).toBe("enabled");
  });

  test("a start without an answer counts all as enabled, until the backend announces them", async () => {
    const store = createSharedStore();
    store.values.set("endpoint:shop/main", "paused");
    store.isAway = true;
    using one = createProcess(store);
    await one.gates.load();
    expect(one.gates.of(one.main).mode).toBe("enabled");
    store.isAway = false;
    store.announce();
    expect(one.gates.of(one.main).mode).toBe("paused");
  });

  test("an operator's change that the backend does not take throws and changes nothing", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    store.isAway = true;
    // oxlint-disable-next-line typescript/await-thenable -- bun's matcher is a promise.
    await expect(one.gates.setMode(one.main, "paused")).rejects.toBeInstanceOf(DriverUnavailableError);
    expect(one.gates.of(one.main).mode).toBe("enabled");
    expect(store.values.size).toBe(0);
  });

  test("another endpoint's change leaves an open breaker open", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    using other = createProcess(store);
    const gate = other.gates.of(other.main);
    attempt(gate, failed);
    expect(gate.breaker).toBe("open");
    await one.gates.setMode(one.billing, "paused");
    expect(other.gates.of(other.billing).mode).toBe("paused");
    expect(gate.breaker).toBe("open");
  });

  test("a mode that this version does not know changes nothing", () => {
    const store = createSharedStore();
    using one = createProcess(store);
    store.values.set("endpoint:shop/main", "sleeping");
    store.values.set("another kind of key", "paused");
    store.announce();
    expect(one.gates.all().map((gate) => gate.mode)).toEqual(["enabled", "enabled"]);
  });
});

describe("an endpoint that answers 410 again and again", () => {
  const answerGone = (process: ReturnType<typeof createProcess>, times: number): void => {
    for (let n = 0; n < times; n += 1) attempt(process.gates.of(process.main), gone);
  };

  test("is disabled in all processes", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    using other = createProcess(store);
    answerGone(one, 2);
    expect(one.gates.of(one.main).ask()).toBe("disabled");
    await until(() => other.gates.of(other.main).ask() === "disabled", {
      what: "the other process to hear of it",
    });
    expect(store.values.get("endpoint:shop/main")).toBe("disabled");
  });

  test("stays disabled while the backend is away or tells what was before, and is saved once it answers", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    store.isAway = true;
    answerGone(one, 2);
    await until(() => store.sets.length > 0, { what: "the first try" });
    store.announce();
    expect(one.gates.of(one.main).ask()).toBe("disabled");
    store.isAway = false;
    await until(() => store.values.get("endpoint:shop/main") === "disabled", { what: "it to be saved" });
    // From then on the backend's word counts again.
    store.values.clear();
    store.announce();
    expect(one.gates.of(one.main).mode).toBe("enabled");
  });

  test("an operator's enable in between wins over what was still to be saved", async () => {
    const store = createSharedStore();
    using one = createProcess(store);
    store.isAway = true;
    answerGone(one, 2);
    await until(() => store.sets.length > 0, { what: "the first try" });
    store.isAway = false;
    await one.gates.setMode(one.main, "enabled");
    // A third try for the other endpoint comes later than the first one's second could.
    store.isAway = true;
    for (let n = 0; n < 2; n += 1) attempt(one.gates.of(one.billing), gone);
    await until(() => store.sets.filter((key) => key === "endpoint:billing").length >= 3);
    expect(one.gates.of(one.main).mode).toBe("enabled");
    expect(store.sets.filter((key) => key === "endpoint:shop/main")).toHaveLength(2);
  });
});

test("a gate counts the starts that have not ended", () => {
  using one = createProcess();
  const gate = one.gates.of(one.main);
  const started = [1, 2, 3].map(() => gate.start() as number);
  expect(started).toEqual([1, 2, 3]);
  gate.ended(2, null);
  expect(gate.inFlight).toBe(2);
});

describe("modes that 0.1 stored under the name of a URL", () => {
  const former = "endpoint:shop/127.0.0.1-e87f70";
  const own = "endpoint:shop/main";

  test("count until this version has stored something, and are copied where no URL matters", async () => {
    const store = createSharedStore();
    store.values.set(former, "disabled");
    using one = createProcess(store);
    await one.gates.load();
    expect(one.gates.of(one.main).mode).toBe("disabled");
    // A process of 0.1 that still runs goes on seeing its own.
    expect([...store.values]).toEqual([
      [former, "disabled"],
      [own, "disabled"],
    ]);
    await one.gates.setMode(one.main, "paused");
    expect([...store.values]).toEqual([[own, "paused"]]);
    using other = createProcess(store);
    await other.gates.load();
    expect(other.gates.of(other.main).mode).toBe("paused");
    store.values.set(former, "paused");
    await other.gates.setMode(other.main, "enabled");
    expect([...store.values]).toEqual([]);
    expect(one.gates.of(one.main).mode).toBe("enabled");
  });
});

// Issue "The house, one floor simpler": 10,000 apps with three webhooks. A gate for each took 100 MB.
describe("thousands of endpoints", () => {
  const many = v.parse(configSchema, {
    endpoints: Object.fromEntries(
      Array.from({ length: 600 }, (_, n) => [`receiver-${n}`, { url: `http://127.0.0.1:1/${n}` }]),
    ),
  });
  const start = (store: SharedStore) => {
    const directory = createDirectory(many);
    const live = createLive({ config: many, directory });
    const gates = createEndpointGates({
      live,
      clock: systemClock,
      log: silentLogger,
      shared: store.connect(),
    });
    return { gates, live, directory, [Symbol.dispose]: () => gates.close() };
  };

  test("have no gate until somebody asks for it, but those that are paused or disabled", async () => {
    const store = createSharedStore();
    store.values.set("endpoint:receiver-7", "paused");
    store.values.set("endpoint:receiver-599", "disabled");
    using one = start(store);
    expect([...one.gates.made()]).toEqual([]);
    await one.gates.load();
    expect([...one.gates.made()].map(({ endpoint, mode }) => `${endpoint.name} ${mode}`).toSorted()).toEqual([
      "receiver-599 disabled",
      "receiver-7 paused",
    ]);
    expect(one.gates.problems().map(({ object }) => object)).toEqual(["receiver-7", "receiver-599"]);
    const [first] = one.directory.endpoints;
    expect(one.gates.known(first!)).toBeUndefined();
    expect(one.gates.of(first!).ask()).toBe("open");
    expect(one.gates.known(first!)).toBe(one.gates.of(first!));
  });

  test("that a new configuration brings are paused where that is stored", () => {
    const store = createSharedStore();
    using one = start(store);
    store.values.set("endpoint:late", "paused");
    store.announce();
    const config = { ...many, endpoints: { ...many.endpoints, late: many.endpoints["receiver-1"]! } };
    one.live.replace({ config, directory: createDirectory(config, one.directory) });
    expect([...one.gates.made()].map(({ endpoint, mode }) => [endpoint.name, mode])).toEqual([
      ["late", "paused"],
    ]);
    expect(one.gates.of(one.live.directory.findEndpoint(null, "receiver-3")!).ask()).toBe("open");
  });
});
