import { expect, test } from "bun:test";
import { app, newJob, startWorker } from "../support/worker.ts";

// faults.md C3: such a job was acked and counted, and nothing said which names nobody wants.
test("a job that no endpoint wants has a debug line with its names, bounded and masked", async () => {
  const config = { log: { level: "debug" as const } };
  await using bench = await startWorker({ config, webhooks: [{ name: "hook", url: "http://127.0.0.1:1/" }] });
  const events = Array.from({ length: 30 }, (_, n) => ({ name: `odd_${n}` }));
  const pusher = { app_id: app.id, app_key: app.key, payload: { time_ms: 1, events } };
  const secret = { type: `${"x".repeat(190)}${app.secret}`, data: {}, app_id: app.id };
  await bench.put([
    { ...newJob("first"), body: JSON.stringify(pusher) },
    { ...newJob("second"), body: JSON.stringify(secret) },
  ]);
  await bench.untilEmpty();
  const lines = bench.logged
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === "no endpoint wants the job");
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({ level: "debug", queue: "webhooks", app: "shop", names: 30 });
  expect(lines[0]?.["events"]).toEqual(events.slice(0, 20).map(({ name }) => name));
  expect(lines[1]).toMatchObject({ events: ["x".repeat(190)], names: 1 });
});
