import { expect, test } from "bun:test";
import { deadlineIn } from "../../src/supervisor/shutdown.ts";
import { createBell } from "../../src/wait.ts";

test("a deadline is over when its time is, and at once when somebody hurries", async () => {
  const hurry = new AbortController();
  const soon = deadlineIn(5, hurry.signal);
  const late = deadlineIn(3_600_000, hurry.signal);
  await createBell().wait(Infinity, soon.signal);
  expect([soon.signal.aborted, late.signal.aborted]).toEqual([true, false]);
  hurry.abort();
  await createBell().wait(Infinity, late.signal);
  // A second SIGTERM that came before the first step of the drain.
  const after = deadlineIn(3_600_000, hurry.signal);
  expect(after.signal.aborted).toBe(true);
  for (const deadline of [soon, late, after]) deadline.clear();
});

test("a deadline that was cleared does not pass, nor hears who hurries", () => {
  const hurry = new AbortController();
  const deadline = deadlineIn(3_600_000, hurry.signal);
  deadline.clear();
  hurry.abort();
  expect(deadline.signal.aborted).toBe(false);
});
