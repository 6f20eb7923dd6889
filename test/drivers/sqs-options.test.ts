import { expect, test } from "bun:test";
import * as v from "valibot";
import { configSchema, type ConfigInput } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { sqsOptions } from "../../src/queue/drivers/sqs/settings.ts";
import { retryBounds } from "../../src/queue/retry-bounds.ts";

const of = (input: ConfigInput) => {
  const config = v.parse(configSchema, input);
  return sqsOptions(config, retryBounds(createDirectory(config).retries));
};
const webhook = (more: object) => ({ url: "http://127.0.0.1:1/", event_types: ["a"], ...more });
const app = (...webhooks: ReturnType<typeof webhook>[]) => ({ id: "a", key: "k", secret: "s", webhooks });

test("the schedule is the longest of all receivers' own", () => {
  const retry = { max_attempts: 4, initial_backoff_ms: 1_000, max_backoff_ms: 3_000 };
  expect(of({ webhooks: { retry } }).retryScheduleMs).toBe(1_000 + 2_000 + 3_000);
  const own = webhook({ retry: { schedule_ms: [10_000, 20_000] } });
  // Three delays for four attempts: the list's last one repeats.
  const both = of({ webhooks: { retry }, apps: [app(own)] });
  expect([both.retryScheduleMs, both.maxAttempts]).toEqual([10_000 + 20_000 + 20_000, 4]);
  const standard = of({ webhooks: { retry: { schedule_ms: "standard", max_attempts: 10 } } });
  // Standard Webhooks 1.0.0: the last of ten attempts is made after 75 h 35 min and 5 s.
  expect(standard.retryScheduleMs).toBe(272_105_000);
  expect(of({ webhooks: { retry: { max_attempts: 1_000_000_000, schedule_ms: [1] } } }).retryScheduleMs).toBe(
    999_999_999,
  );
});

test("the delay after each attempt is the longest of all receivers', jitter included", () => {
  const retry = { max_attempts: 4, initial_backoff_ms: 1_000, max_backoff_ms: 3_000, jitter: 0.5 };
  expect(of({ webhooks: { retry } }).retryDelaysMs).toEqual([1_500, 3_000, 4_500]);
  const own = webhook({ retry: { schedule_ms: [10_000, 500], jitter: 0 } });
  expect(of({ webhooks: { retry }, apps: [app(own)] }).retryDelaysMs).toEqual([10_000, 3_000, 4_500]);
  expect(of({ webhooks: { retry: { max_attempts: 1, jitter: 0 } } }).retryDelaysMs).toHaveLength(1);
  expect(of({ webhooks: { retry: { max_attempts: 1_000_000_000 } } }).retryDelaysMs).toHaveLength(1_000);
});

test("one constant group with several receivers is noted, a group by channel is not", () => {
  const apps = [app(webhook({ name: "one" }), webhook({ name: "two" }))];
  const queue = (sqs: object): ConfigInput["queue"] => ({ driver: "sqs", sqs: { fifo: true, ...sqs } });
  expect(of({ apps, queue: queue({}) }).notes).toEqual([expect.stringContaining("message_group_id")]);
  expect(of({ apps, queue: queue({ message_group_id: "{app_id}_{channel}" }) }).notes).toEqual([]);
  expect(of({ apps, queue: queue({ fifo_on_failure: "dead" }) }).notes).toEqual([]);
  expect(of({ apps: [app(webhook({}))], queue: queue({}) }).notes).toEqual([]);
});
