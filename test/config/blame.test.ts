import { describe, expect, test } from "bun:test";
import { appWith, issuesOf } from "./support.ts";

// Findings of fresh-eyes testing: issues named keys that the file lacks, and sources that set another key.
describe("a contradiction stands at the key that somebody set", () => {
  test("a group's concurrency above the process's limit", async () => {
    const queue = { queues: ["a"], groups: [{ name: "g", concurrency: 2000, queues: ["a"] }] };
    expect(await issuesOf({ queue })).toEqual([
      "queue.groups.0.concurrency (file hookline.json): the sum of all concurrency is 2000 (queue.groups.0.concurrency 2000), above webhooks.max_in_flight (1024, default)",
    ]);
  });

  test("the limit itself, where only that was set, or set last", async () => {
    const sets = ["webhooks.max_in_flight=3"];
    expect(await issuesOf(null, { sets })).toEqual([
      "webhooks.max_in_flight (flag --set): 3 is below the sum of all concurrency, 5 (queue.memory.concurrency 5)",
    ]);
    const file = { queue: { memory: { concurrency: 4 } } };
    expect(await issuesOf(file, { sets })).toEqual([
      "webhooks.max_in_flight (flag --set): 3 is below the sum of all concurrency, 4 (queue.memory.concurrency 4)",
    ]);
    expect(
      await issuesOf({ webhooks: { max_in_flight: 3 } }, { env: { QUEUE_MEMORY_CONCURRENCY: "4" } }),
    ).toEqual([
      "queue.memory.concurrency (env QUEUE_MEMORY_CONCURRENCY): the sum of all concurrency is 4 (queue.memory.concurrency 4), above webhooks.max_in_flight (3, file hookline.json)",
    ]);
  });

  test("of two backoffs the one that was set last, with the other's value and source", async () => {
    expect(await issuesOf(null, { sets: ["webhooks.retry.max_backoff_ms=500"] })).toEqual([
      "webhooks.retry.max_backoff_ms (flag --set): 500 is below initial_backoff_ms (1000, default)",
    ]);
    const file = { webhooks: { retry: { max_backoff_ms: 500, initial_backoff_ms: 10 } } };
    expect(await issuesOf(file, { env: { QUEUE_RETRY_BASE_DELAY_MS: "600" } })).toEqual([
      "webhooks.retry.initial_backoff_ms (env QUEUE_RETRY_BASE_DELAY_MS): 600 is above max_backoff_ms (500, file hookline.json)",
    ]);
  });

  test("a webhook's own, and a status that webhooks.retry gives up", async () => {
    const file = {
      webhooks: { retry: { dead_on: [503] } },
      apps: [appWith({ retry: { max_backoff_ms: 500, retry_on: [503] } })],
    };
    expect(await issuesOf(file)).toEqual([
      "apps.0.webhooks.0.retry.max_backoff_ms (file hookline.json): 500 is below webhooks.retry.initial_backoff_ms (1000, default)",
      "apps.0.webhooks.0.retry.retry_on (file hookline.json): 503: stands in webhooks.retry.dead_on too",
    ]);
  });

  test("a delay between restarts", async () => {
    expect(await issuesOf(null, { sets: ["supervisor.max_restart_delay_ms=50"] })).toEqual([
      "supervisor.max_restart_delay_ms (flag --set): 50 is below restart_delay_ms (100, default)",
    ]);
  });
});

test("a new name in a map cannot be spelled in a variable's name, and the issue says what can", async () => {
  const lines = await issuesOf(
    { endpoints: { billing: { url: "http://a.test" } } },
    {
      env: {
        HOOKLINE_ENDPOINTS__OTHER__URL: "http://b.test",
        HOOKLINE_ENDPOINTS__BILLING__HEADERS__X_NEW: "1",
        HOOKLINE_ENDPOINTS__BILLING__URLL: "1",
      },
    },
  );
  expect(lines).toEqual([
    "(env HOOKLINE_ENDPOINTS__OTHER__URL): unknown name: endpoints has no such name yet; set a new one as JSON in HOOKLINE_ENDPOINTS",
    "(env HOOKLINE_ENDPOINTS__BILLING__HEADERS__X_NEW): unknown name: endpoints.billing.headers has no such name yet; set a new one as JSON in HOOKLINE_ENDPOINTS__BILLING__HEADERS",
    "(env HOOKLINE_ENDPOINTS__BILLING__URLL): unknown name",
  ]);
});
