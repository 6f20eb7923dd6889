import { expect, test } from "bun:test";
import type { OperatorEventsConfig } from "../../src/config/schema-operator-events.ts";
import { operatorEventTypes } from "../../src/config/schema-operator-events.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import type { NewJob } from "../../src/queue/driver.ts";
import { createOperatorEvents } from "../../src/worker/operator-events.ts";
import { warningLogger } from "../support/redis-driver.ts";
import { until } from "../support/until.ts";

const to = (endpoint: string, more: Partial<OperatorEventsConfig> = {}): OperatorEventsConfig => ({
  endpoint,
  types: [...operatorEventTypes],
  queue: null,
  lag_ms: 300_000,
  window_ms: 60_000,
  ...more,
});

function start(receivers: readonly OperatorEventsConfig[]) {
  let now = 60_000_000;
  let isAway = false;
  const jobs: { queue: string; job: NewJob }[] = [];
  const { log, warnings } = warningLogger();
  const events = createOperatorEvents({
    receivers: () => receivers,
    firstQueue: "first",
    enqueue: async (queue, batch) => {
      if (isAway) throw new DriverUnavailableError("away");
      for (const job of batch) jobs.push({ queue, job });
      return batch.map(({ id }) => ({ status: "enqueued", id }));
    },
    isOpen: () => true,
    deduplicates: true,
    mask: (text) => text.replaceAll("hidden", "***"),
    clock: { now: () => now, monotonic: () => now },
    log,
  });
  return {
    jobs,
    warnings,
    tell: (object: string, data = {}) => events.tell({ type: "job.dead", object, data }),
    after: (ms: number) => void (now += ms),
    away: (next: boolean) => void (isAway = next),
  };
}

test("processes of a fleet make the same job of an event, and another one in the next window", async () => {
  const [one, other] = [start([to("ops")]), start([to("ops")])];
  one.tell("a", { text: "hidden" });
  one.tell("a");
  other.after(20_000);
  other.tell("a", { text: "worded otherwise" });
  one.after(60_000);
  one.tell("a");
  await until(() => one.jobs.length === 2 && other.jobs.length === 1, { what: "the jobs" });
  const [first, second] = one.jobs.map(({ job }) => job);
  expect(first?.dedup).toEqual(other.jobs[0]?.job.dedup ?? null);
  expect(first?.id).toBe(other.jobs[0]?.job.id ?? "");
  expect(second?.id).not.toBe(first?.id ?? "");
  expect(String(first?.body)).toContain('"data":{"object":"a","text":"***"}');
});

test("two endpoints are told by jobs of their own, each over its queue", async () => {
  const { jobs, tell } = start([to("ops"), to("pager", { queue: "urgent" }), to("quiet", { types: [] })]);
  tell("a");
  await until(() => jobs.length === 2, { what: "the jobs" });
  expect(jobs.map(({ queue }) => queue)).toEqual(["first", "urgent"]);
  expect(jobs[0]?.job.id).not.toBe(jobs[1]?.job.id ?? "");
});

test("a storm of objects ends at a thousand events, and says so once", async () => {
  const { jobs, tell, warnings } = start([to("ops")]);
  for (let n = 0; n < 5_000; n += 1) tell(`e${n}`);
  await until(() => jobs.length === 1_000, { what: "a thousand" });
  expect(warnings.map(({ message }) => message.slice(0, 20))).toEqual(["more operator events"]);
});

test("while the backend is away events are gone, said once for an outage", async () => {
  const { jobs, tell, warnings, away } = start([to("ops")]);
  away(true);
  tell("a");
  await until(() => warnings.length === 1, { what: "the warning" });
  tell("b");
  away(false);
  tell("c");
  await until(() => jobs.some(({ job }) => String(job.body).includes('"object":"c"')), {
    what: "the next event",
  });
  expect(warnings).toHaveLength(1);
});
