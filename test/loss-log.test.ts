import { expect, test } from "bun:test";
import { createLogger } from "../src/log.ts";
import { createLossLog } from "../src/loss-log.ts";
import { createMetrics } from "../src/metrics.ts";

test("a dead letter that the driver made is counted by reason and logged as the worker's are", () => {
  const lines: string[] = [];
  const log = createLogger({
    level: "info",
    format: "json",
    write: (line) => void lines.push(line),
    mask: (text) => text,
    now: () => 0,
  });
  const metrics = createMetrics();
  const losses = createLossLog(log, metrics);
  losses.deadLettered?.("webhooks", { jobId: "j1", reason: "max_age", detail: "503", endpoint: "a/b" });
  expect(metrics.deadLettered.labels({ queue: "webhooks", reason: "max_age" }).value).toBe(1);
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    {
      level: "warn",
      msg: "dead-lettered",
      queue: "webhooks",
      job_id: "j1",
      reason: "max_age",
      detail: "503",
      endpoint: "a/b",
    },
  ]);
  losses.flush();
});
