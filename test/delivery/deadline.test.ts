import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { Cut } from "../../src/delivery/cut.ts";
import { withDeadline } from "../../src/delivery/deadline.ts";
import { until } from "../support/until.ts";

const delivered = { kind: "delivered", status: 200 } as const;

test("an attempt that is cut off and ends only after its deadline was aborted, not late", async () => {
  const cut = new Cut();
  const startedAt = performance.now();
  const attempt = withDeadline({ timeoutMs: 20, cut }, systemClock, async () => {
    cut.cut();
    await until(() => performance.now() - startedAt > 40, { what: "the deadline" });
    throw new Error("cut off");
  });
  expect((await attempt).kind).toBe("aborted");
});

test("one that passes its deadline is late, and its work is cut off", async () => {
  const cut = new Cut();
  const attempt = withDeadline({ timeoutMs: 20, cut }, systemClock, async () => {
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
  expect(await withDeadline(limits, systemClock, async () => ({ ...delivered }))).toMatchObject({
    ...delivered,
    durationMs: expect.any(Number),
  });
  const failing = withDeadline(limits, systemClock, () => Promise.reject(new TypeError("a bug")));
  await expect(failing).rejects.toThrow("a bug");
  expect(cut.isCut).toBe(false);
  cut.cut();
  expect(await withDeadline(limits, systemClock, async () => ({ ...delivered }))).toEqual({
    kind: "aborted",
    durationMs: 0,
  });
});
