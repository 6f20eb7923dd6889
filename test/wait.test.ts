import { expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { join } from "node:path";
import { createBell, endOfTick, orAborted, orLate, sleep, within } from "../src/wait.ts";

const never = new Promise<never>(() => undefined);
const hour = 3_600_000;

/** How many listen to a signal that outlives every wait of this file. */
const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("a sleep ends with its time, with its signal, and at once when that has aborted before", async () => {
  const started = performance.now();
  await sleep(20);
  expect(performance.now() - started).toBeGreaterThanOrEqual(19.5);
  const controller = new AbortController();
  const long = sleep(hour, controller.signal);
  controller.abort();
  await long;
  await sleep(hour, controller.signal);
  // More than a timer can hold, and less than none: neither is taken for one millisecond, or complained of.
  const far = new AbortController();
  const farther = sleep(1e15, far.signal).then(() => "ended");
  expect(await Promise.race([farther, sleep(20).then(() => "waits")])).toBe("waits");
  far.abort();
  await sleep(-5);
});

test("a ring ends every wait that is under way, and none that begins afterwards", async () => {
  const bell = createBell();
  expect(bell.isAwaited).toBe(false);
  const ended: string[] = [];
  const first = bell.wait(Infinity).then(() => ended.push("first"));
  const second = bell.wait(hour).then(() => ended.push("second"));
  expect(bell.isAwaited).toBe(true);
  bell.ring();
  expect(bell.isAwaited).toBe(false);
  const controller = new AbortController();
  const third = bell.wait(Infinity, controller.signal).then(() => ended.push("third"));
  await Promise.all([first, second]);
  await endOfTick();
  expect(ended).toEqual(["first", "second"]);
  controller.abort();
  await third;
  await bell.wait(1);
});

test("orAborted gives the value, the rejection, or null from the moment the signal aborts", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  expect(await orAborted(Promise.resolve(7), signal)).toBe(7);
  expect(orAborted(Promise.reject(new Error("its own")), signal)).rejects.toThrow("its own");
  const late = Promise.withResolvers<number>();
  const waiting = orAborted(late.promise, signal);
  controller.abort();
  expect(await waiting).toBeNull();
  expect(await orAborted(never, signal)).toBeNull();
  // Nobody waits for it any more: it must not end the process as an unhandled rejection.
  late.reject(new Error("too late"));
  await endOfTick();
});

test("orLate gives null, and within rejects and aborts the work's signal, once the time is up", async () => {
  expect(await orLate(Promise.resolve("soon"), hour)).toBe("soon");
  expect(await orLate(never, 1)).toBeNull();
  let seen: AbortSignal | null = null;
  const work = (signal: AbortSignal): Promise<never> => {
    seen = signal;
    return never;
  };
  await expect(within(1, work)).rejects.toThrow("no answer within 1 ms");
  expect((seen as AbortSignal | null)?.aborted).toBe(true);
  expect(await within(hour, async (signal) => signal.aborted)).toBe(false);
  await expect(within(hour, () => Promise.reject(new Error("its own")))).rejects.toThrow("its own");
  const throwsAtOnce = (): Promise<never> => {
    throw new Error("at once");
  };
  await expect(within(hour, throwsAtOnce)).rejects.toThrow("at once");
});

test("no listener stays on a signal that lives on, however a wait ended", async () => {
  const { signal } = new AbortController();
  const bell = createBell();
  const failing = Promise.withResolvers<never>();
  const waits = [
    sleep(1, signal),
    bell.wait(hour, signal),
    orAborted(sleep(1), signal),
    orAborted(failing.promise, signal).catch(() => undefined),
  ];
  expect(listeners(signal)).toBe(waits.length);
  bell.ring();
  failing.reject(new Error("failed"));
  await Promise.all(waits);
  expect(listeners(signal)).toBe(0);
});

test("no timer outlives its wait: a process that waited for an hour ends as soon as the wait does", async () => {
  const source = JSON.stringify(join(import.meta.dir, "../src/wait.ts"));
  const program = `
    import { createBell, orLate, sleep, within } from ${source};
    const controller = new AbortController();
    const bell = createBell();
    const hour = 3_600_000;
    const waits = [sleep(hour, controller.signal), bell.wait(hour), orLate(Promise.resolve(), hour),
      orLate(Promise.reject(new Error()), hour).catch(() => undefined), within(hour, async () => 1),
      within(hour, () => Promise.reject(new Error())).catch(() => undefined),
      within(hour, () => { throw new Error(); }).catch(() => undefined)];
    controller.abort();
    bell.ring();
    await Promise.all(waits);
    console.log("over");`;
  await using child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "inherit" });
  // The test's own time limit is what a timer that was left would run into.
  expect([await new Response(child.stdout).text(), await child.exited]).toEqual(["over\n", 0]);
});
