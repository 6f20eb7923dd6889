import { afterEach, describe, expect, jest, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { Cut } from "../../src/delivery/cut.ts";
import { createDeadlines } from "../../src/delivery/deadline.ts";
import { until } from "../support/until.ts";

const deadlines = createDeadlines(systemClock);
const delivered = { kind: "delivered", status: 200 } as const;

test("an attempt that is cut off and ends only after its deadline was aborted, not late", async () => {
  const cut = new Cut();
  const startedAt = performance.now();
  const attempt = deadlines.run({ timeoutMs: 20, cut }, async () => {
    cut.cut();
    await until(() => performance.now() - startedAt > 40, { what: "the deadline" });
    throw new Error("cut off");
  });
  expect((await attempt).kind).toBe("aborted");
});

test("one that passes its deadline is late, and its work is cut off", async () => {
  const cut = new Cut();
  const attempt = deadlines.run({ timeoutMs: 20, cut }, async () => {
    await until(() => cut.isCut, { what: "the deadline" });
    throw new Error("cut off");
  });
  const outcome = await attempt;
  expect(outcome.kind).toBe("timeout");
  expect(outcome.durationMs).toBeGreaterThanOrEqual(19);
});

test("what it comes to in time counts, with its duration; another error is passed on", async () => {
  const cut = new Cut();
  const limits = { timeoutMs: 60_000, cut };
  expect(await deadlines.run(limits, async () => ({ ...delivered }))).toMatchObject({
    ...delivered,
    durationMs: expect.any(Number),
  });
  const failing = deadlines.run(limits, () => Promise.reject(new TypeError("a bug")));
  await expect(failing).rejects.toThrow("a bug");
  expect(cut.isCut).toBe(false);
  cut.cut();
  expect(await deadlines.run(limits, async () => ({ ...delivered }))).toEqual({
    kind: "aborted",
    durationMs: 0,
  });
});

describe("one timer for all attempts", () => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const pass = (ms: number): void => {
    now += ms;
    jest.advanceTimersByTime(ms);
  };
  const start = (): ReturnType<typeof createDeadlines> => {
    jest.useFakeTimers();
    now = 0;
    return createDeadlines(clock);
  };
  afterEach(() => void jest.useRealTimers());

  test("is set once, however many begin and end, and not again when nothing is in flight", () => {
    const one = start();
    for (let n = 0; n < 1_000; n += 1) {
      const cut = new Cut();
      one.begin(cut, 10_000);
      expect(one.end(cut)).toBe(0);
      expect(jest.getTimerCount()).toBe(1);
    }
    pass(10_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("cuts off each that is late, at most 50 ms late, whatever ended between them", () => {
    const one = start();
    const cuts: { cut: Cut; dueAt: number; isEnded: boolean }[] = [];
    for (let n = 0; n < 300; n += 1) {
      const cut = new Cut();
      const timeoutMs = [300, 1_000, 120][n % 3] as number;
      one.begin(cut, timeoutMs);
      cuts.push({ cut, dueAt: now + timeoutMs, isEnded: false });
      // From the front, the middle and the end of the lines.
      const ended = cuts[(n * 7) % cuts.length];
      if (n % 2 === 0 && ended !== undefined && !ended.isEnded && !ended.cut.isCut) {
        one.end(ended.cut);
        ended.isEnded = true;
      }
      pass(3);
      for (const { cut: each, dueAt, isEnded } of cuts) {
        if (isEnded) expect(each.isCut).toBe(false);
        else if (now < dueAt) expect(each.isCut).toBe(false);
        else if (now > dueAt + 50) expect([each.isCut, each.isLate]).toEqual([true, true]);
      }
    }
    pass(1_100);
    expect(cuts.every(({ cut, isEnded }) => isEnded || cut.isLate)).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  test("a shorter deadline is not waited out behind a longer one", () => {
    const one = start();
    const [long, short] = [new Cut(), new Cut()];
    one.begin(long, 60_000);
    one.begin(short, 20);
    pass(20);
    expect([long.isCut, short.isLate]).toEqual([false, true]);
    one.end(short);
    one.end(long);
  });

  test("one that its caller cut off is not late, and ends once", () => {
    const one = start();
    const cut = new Cut();
    one.begin(cut, 20);
    cut.cut();
    pass(100);
    expect([cut.isCut, cut.isLate]).toEqual([true, false]);
    one.end(cut);
    one.end(cut);
  });

  test("a deadline beyond what a timer holds is waited for all the same", () => {
    const one = start();
    const cut = new Cut();
    one.begin(cut, 2 ** 31 + 5_000);
    pass(2 ** 31 - 1);
    expect(cut.isCut).toBe(false);
    pass(6_001);
    expect(cut.isLate).toBe(true);
  });
});
