import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { createLogger, silentLogger } from "../../src/log.ts";
import type { ChildContext } from "../../src/supervisor/child.ts";
import { createIntensity } from "../../src/supervisor/intensity.ts";
import { createSupervisor, type Supervisor } from "../../src/supervisor/supervisor.ts";
import { until } from "../support/until.ts";

let supervisor: Supervisor;
let restarts: string[] = [];

function start(options: Partial<Parameters<typeof createSupervisor>[0]> = {}): Supervisor {
  restarts = [];
  supervisor = createSupervisor({
    maxRestarts: 8,
    withinMs: 60_000,
    restartDelayMs: 1,
    maxRestartDelayMs: 8,
    stallMs: 60_000,
    clock: systemClock,
    log: silentLogger,
    onRestart: (id) => restarts.push(id),
    ...options,
  });
  return supervisor;
}

const untilAborted = (context: ChildContext): Promise<void> =>
  new Promise((resolve) => context.signal.addEventListener("abort", () => resolve(), { once: true }));
const stateOf = (id: string) => supervisor.children().find((child) => child.id === id);

afterEach(() => supervisor.stop(() => true, 10));

describe("restarts", () => {
  test("a child that throws is started again; its sibling is left alone", async () => {
    let runs = 0;
    let siblingRuns = 0;
    start().add({
      id: "a",
      run: async (context) => {
        runs += 1;
        if (runs < 3) throw new Error("boom");
        await untilAborted(context);
      },
    });
    supervisor.add({
      id: "b",
      run: async (context) => {
        siblingRuns += 1;
        await untilAborted(context);
      },
    });
    await until(() => runs === 3);
    expect(siblingRuns).toBe(1);
    expect(stateOf("a")).toMatchObject({ state: "running", restarts: 2, lastError: "Error: boom" });
    expect(restarts).toEqual(["a", "a"]);
  });

  test("a child that returns although nobody asked it to is restarted", async () => {
    let runs = 0;
    start().add({
      id: "a",
      run: async (context) => {
        runs += 1;
        if (runs > 1) await untilAborted(context);
      },
    });
    await until(() => runs === 2);
    expect(stateOf("a")?.lastError).toContain("returned although nothing had stopped it");
  });

  /** A log that keeps the delays of the restarts. */
  const delayLog = () => {
    const delays: unknown[] = [];
    const log = createLogger({
      level: "warn",
      format: "json",
      write: (line) => void delays.push((JSON.parse(line) as { delay_ms?: number }).delay_ms),
      mask: (text) => text,
      now: () => 0,
    });
    return { delays, log };
  };

  test("a child that lived for a minute has recovered: its next restart waits the shortest delay again", async () => {
    const { delays, log } = delayLog();
    let now = 0;
    let runs = 0;
    start({
      restartDelayMs: 2,
      maxRestartDelayMs: 8,
      log,
      clock: { now: () => now, monotonic: () => now },
    }).add({
      id: "a",
      async run(context) {
        runs += 1;
        if (runs === 7) return untilAborted(context);
        now += { 4: 59_999, 5: 60_000 }[runs] ?? 0;
        throw new Error("boom");
      },
    });
    await until(() => runs === 7, { what: "the seventh run" });
    expect(delays).toEqual([2, 4, 8, 8, 2, 4]);
  });

  test("each restart waits twice as long as the one before, up to the longest delay", async () => {
    const { delays, log } = delayLog();
    let runs = 0;
    start({ restartDelayMs: 2, maxRestartDelayMs: 5, log }).add({
      id: "a",
      async run(context) {
        runs += 1;
        if (runs <= 5) throw new Error("boom");
        await untilAborted(context);
      },
    });
    await until(() => runs === 6, { what: "the sixth run" });
    expect(delays).toEqual([2, 4, 5, 5, 5]);
  });

  test("past the intensity the supervisor fails with the child and its last crash", async () => {
    start({ maxRestarts: 3 }).add({ id: "a", run: () => Promise.reject(new Error("always")) });
    const error = await supervisor.failed;
    expect(error.childId).toBe("a");
    expect(error.message).toContain("Error: always");
    expect(error.message).toContain("3 restarts");
    expect(restarts.length).toBe(3);
    expect(stateOf("a")?.state).toBe("failed");
  });

  test("intensity counts per child and forgets what is older than the window", () => {
    const intensity = createIntensity({ maxRestarts: 2, withinMs: 100 });
    expect([intensity.allows(0), intensity.allows(50), intensity.allows(99)]).toEqual([true, true, false]);
    expect(intensity.allows(101)).toBe(true);
  });

  test("what a run held is cleaned up once, also when it crashed", async () => {
    let cleaned = 0;
    let runs = 0;
    start().add({
      id: "a",
      run: async (context) => {
        runs += 1;
        if (runs > 1) return untilAborted(context);
        context.onEnd(() => (cleaned += 1));
        throw new Error("boom");
      },
    });
    await until(() => runs === 2);
    expect(cleaned).toBe(1);
  });
});

describe("stalls", () => {
  test("a child without progress is abandoned, cleaned up and replaced within stall_ms", async () => {
    let runs = 0;
    let cleaned = 0;
    let abandoned: AbortSignal | null = null;
    start({ stallMs: 200 }).add({
      id: "a",
      run: async (context) => {
        runs += 1;
        if (runs > 1) {
          while (!context.signal.aborted) {
            context.progress();
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          return;
        }
        abandoned = context.signal;
        context.onEnd(() => (cleaned += 1));
        await new Promise<never>(() => undefined);
      },
    });
    await until(() => runs === 2, { what: "the second run" });
    expect((abandoned as AbortSignal | null)?.aborted).toBe(true);
    expect(cleaned).toBe(1);
    expect(stateOf("a")?.lastError).toContain("stalled");
  });

  test("a silent child is replaced before stall_ms are over, by the clock that measures its silence", async () => {
    let now = 0;
    let runs = 0;
    start({ stallMs: 500, clock: { now: () => now, monotonic: () => now } }).add({
      id: "a",
      run: async (context) => {
        runs += 1;
        await untilAborted(context);
      },
    });
    // A step is shorter than a round of the watchdog, however the machine spaces them.
    await until(
      () => {
        now += 10;
        return runs > 1 || now > 2_000;
      },
      { everyMs: 30, what: "a second run" },
    );
    const silentMs = Number(/no progress for (\d+) ms/.exec(stateOf("a")?.lastError ?? "")?.[1]);
    expect(silentMs).toBeWithin(440, 501);
  });

  test("a process that stood still itself replaces nobody", async () => {
    let now = 0;
    let runs = 0;
    const clock = { now: () => now, monotonic: () => now };
    start({ stallMs: 500, clock }).add({
      id: "a",
      run: async (context) => {
        runs += 1;
        await untilAborted(context);
      },
    });
    // Let the watchdog look once, then jump as after a suspend, and let it look again.
    await until(() => runs === 1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    now = 3_600_000;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(runs).toBe(1);
    expect(stateOf("a")?.restarts).toBe(0);
  });

  test("silence inside an announced deadline is no stall", async () => {
    let runs = 0;
    let isOver = false;
    start({ stallMs: 100 }).add({
      id: "a",
      run: async (context) => {
        runs += 1;
        context.progress(systemClock.monotonic() + 400);
        await new Promise((resolve) => setTimeout(resolve, 350));
        isOver = true;
        context.progress(systemClock.monotonic() + 60_000);
        await untilAborted(context);
      },
    });
    await until(() => isOver);
    expect(runs).toBe(1);
  });
});

describe("rehearsals", () => {
  const round = async (context: ChildContext): Promise<void> => {
    while (!context.signal.aborted) {
      await context.checkpoint();
      context.progress();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };

  test("a rehearsed crash counts as a crash, with its reason", async () => {
    start().add({ id: "a", run: round });
    expect(supervisor.crash("a")).toBe("done");
    await until(() => restarts.length === 1);
    expect(stateOf("a")?.lastError).toContain("made to crash");
    expect(supervisor.crash("nobody")).toBe("unknown");
  });

  test("a rehearsed crash does not wait for a child that is in the middle of something", async () => {
    let cleaned = 0;
    let runs = 0;
    start().add({
      id: "a",
      run: async (context) => {
        runs += 1;
        if (runs > 1) return round(context);
        context.onEnd(() => (cleaned += 1));
        await new Promise<never>(() => undefined);
      },
    });
    supervisor.crash("a");
    await until(() => runs === 2, { what: "the second run" });
    expect(cleaned).toBe(1);
  });

  test("a rehearsed stall is found and replaced", async () => {
    start({ stallMs: 100 }).add({ id: "a", run: round });
    supervisor.stall("a");
    await until(() => restarts.length === 1);
    expect(stateOf("a")?.lastError).toContain("stalled");
  });

  test("a child that waits for its restart cannot be made to crash, and restart cuts its wait short", async () => {
    let runs = 0;
    start({ restartDelayMs: 60_000, maxRestartDelayMs: 60_000 }).add({
      id: "a",
      run: async (context) => {
        runs += 1;
        if (runs === 1) throw new Error("boom");
        await round(context);
      },
    });
    await until(() => stateOf("a")?.state === "restarting");
    expect([supervisor.crash("a"), supervisor.stall("a")]).toEqual(["not_running", "not_running"]);
    expect(supervisor.restart("a")).toBe("done");
    await until(() => runs === 2);
  });

  test("an operator's restart is no crash", async () => {
    start({ maxRestarts: 0 }).add({ id: "a", run: round });
    supervisor.restart("a");
    await until(() => restarts.length === 1);
    expect(stateOf("a")).toMatchObject({ state: "running", lastError: null });
  });
});

describe("stopping", () => {
  test("stops only whom it is told to, and waits for them", async () => {
    const ended: string[] = [];
    for (const id of ["a", "b"]) {
      (id === "a" ? start() : supervisor).add({
        id,
        run: async (context) => {
          await untilAborted(context);
          ended.push(id);
        },
      });
    }
    await supervisor.stop((id) => id === "a", 1_000);
    expect(ended).toEqual(["a"]);
    expect([stateOf("a")?.state, stateOf("b")?.state]).toEqual(["stopped", "running"]);
    expect(supervisor.isAlive()).toBe(true);
  });

  test("a child that does not react is left behind after the grace", async () => {
    start().add({ id: "a", run: () => new Promise<never>(() => undefined) });
    await supervisor.stop(() => true, 20);
    expect(stateOf("a")?.state).toBe("stopped");
    expect(supervisor.isAlive()).toBe(false);
  });

  test("a child waiting for its restart stops at once", async () => {
    start({ restartDelayMs: 60_000, maxRestartDelayMs: 60_000 }).add({
      id: "a",
      run: () => Promise.reject(new Error("boom")),
    });
    await until(() => stateOf("a")?.state === "restarting");
    await supervisor.stop(() => true, 10);
    expect(stateOf("a")?.state).toBe("stopped");
  });
});
