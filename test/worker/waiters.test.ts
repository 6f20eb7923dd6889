import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { createWaiters, type Waiters } from "../../src/worker/waiters.ts";

let waiters: Waiters<string>;
beforeEach(() => {
  jest.useFakeTimers();
  waiters = createWaiters();
});
afterEach(() => jest.useRealTimers());

/** Waits, and keeps what came of it under `name`. */
function wait(ended: string[], name: string, waitMs: number, signal = new AbortController().signal): void {
  void waiters.wait({ signal, waitMs, otherwise: "late", aborted: "aborted" }).then((value) => {
    ended.push(`${name} ${value}`);
  });
}

async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  for (let n = 0; n < 5; n++) await Promise.resolve();
}

test("each waits for its own time, whoever came first and whatever the others wait for", async () => {
  const ended: string[] = [];
  wait(ended, "endless", Number.POSITIVE_INFINITY);
  wait(ended, "weeks", 2 ** 32);
  wait(ended, "long", 100);
  wait(ended, "short", 10);
  await pass(9);
  expect(ended).toEqual([]);
  await pass(2);
  expect(ended).toEqual(["short late"]);
  wait(ended, "middle", 20);
  await pass(21);
  expect(ended).toEqual(["short late", "middle late"]);
  await pass(70);
  expect(ended).toEqual(["short late", "middle late", "long late"]);
  expect(waiters.count).toBe(2);
});

test("the last who came is handed the value; the others wait on", async () => {
  const ended: string[] = [];
  for (const name of ["a", "b", "c"]) wait(ended, name, 50);
  expect(waiters.hand("x")).toBe(true);
  await pass(51);
  expect(ended).toEqual(["c x", "a late", "b late"]);
  expect(waiters.hand("y")).toBe(false);
});

test("a signal ends the waits that go by it, each once, and no others; then no timer is left", async () => {
  const ended: string[] = [];
  const [one, other] = [new AbortController(), new AbortController()];
  wait(ended, "a", 50, one.signal);
  wait(ended, "b", 50, other.signal);
  wait(ended, "c", 50, one.signal);
  one.abort();
  await pass(0);
  expect(ended).toEqual(["a aborted", "c aborted"]);
  wait(ended, "d", 50, one.signal);
  await pass(0);
  expect(ended).toEqual(["a aborted", "c aborted", "d aborted"]);
  other.abort();
  await pass(0);
  expect(ended[3]).toBe("b aborted");
  expect(jest.getTimerCount()).toBe(0);
});

test("no timer is set to a negative time, about which the runtime would write into the log", async () => {
  jest.useRealTimers();
  let now = 0;
  const clock = spyOn(performance, "now").mockImplementation(() => (now += 5));
  const timers = spyOn(globalThis, "setTimeout");
  try {
    const { signal } = new AbortController();
    await Promise.all(
      [0, 3, 30].map((waitMs) => waiters.wait({ signal, waitMs, otherwise: "late", aborted: "aborted" })),
    );
    const times = timers.mock.calls.map(([, ms]) => ms ?? 0);
    expect(times.length).toBeGreaterThan(0);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
  } finally {
    timers.mockRestore();
    clock.mockRestore();
  }
});
