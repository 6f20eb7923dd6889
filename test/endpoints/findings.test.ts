import { expect, test } from "bun:test";
import { answer, startReceiver } from "../support/receiver.ts";
import { newJobs, startWorker, type WorkerBench } from "../support/worker.ts";
import { until } from "../support/until.ts";

const linesOf = (bench: WorkerBench, word: string): Record<string, unknown>[] =>
  bench.logged
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => String(msg).includes(word));

test("a breaker that opens is a warning with its figures and a problem; one that closes is an info, and no problem", async () => {
  await using receiver = await startReceiver({ behaviour: answer(500) });
  await using bench = await startWorker({
    webhooks: [
      { name: "hook", url: receiver.url, breaker: { min_attempts: 5, failure_share: 1, open_ms: 50 } },
      { name: "well", url: receiver.url, event_types: ["other"] },
    ],
    config: { queue: { memory: { concurrency: 1 } } },
  });
  expect(bench.gates.problems()).toEqual([]);
  await bench.put(newJobs(5));
  const [problem] = await until(() => (bench.gates.problems().length > 0 ? bench.gates.problems() : null));
  expect(problem).toMatchObject({ kind: "breaker_open", object: "shop/hook" });
  expect(problem?.detail).toStartWith("5 of 5 attempts failed, the last with: HTTP 500; ");
  expect(Math.abs(Date.now() - (problem?.since ?? 0))).toBeLessThan(60_000);
  expect(linesOf(bench, "breaker opened")).toMatchObject([
    {
      level: "warn",
      endpoint: "shop/hook",
      failures: 5,
      attempts: 5,
      open_ms: 50,
      detail: "HTTP 500",
    },
  ]);
  receiver.behave(answer(200));
  await bench.untilEmpty();
  expect(bench.gates.problems()).toEqual([]);
  expect(linesOf(bench, "breaker closed")).toMatchObject([{ level: "info", endpoint: "shop/hook" }]);
  expect(linesOf(bench, "breaker opened")).toHaveLength(1);
});

test("paused and disabled endpoints are problems until they are enabled", async () => {
  await using bench = await startWorker({
    webhooks: [{ name: "hook", url: "http://127.0.0.1:9/" }],
    config: { endpoints: { other: { url: "http://127.0.0.1:9/" } } },
  });
  const kinds = (): string[] => bench.gates.problems().map(({ kind, object }) => `${kind} ${object}`);
  const hook = bench.directory.findEndpoint(bench.directory.apps[0]!, "hook")!;
  const other = bench.directory.findEndpoint(null, "other")!;
  await bench.gates.setMode(hook, "paused");
  const [first] = bench.gates.problems();
  await bench.gates.setMode(hook, "paused");
  await bench.gates.setMode(other, "disabled");
  expect(kinds()).toEqual(["endpoint_paused shop/hook", "endpoint_disabled other"]);
  expect(bench.gates.problems()[0]?.since).toBe(first?.since as number);
  await bench.gates.setMode(other, "enabled");
  await bench.gates.setMode(hook, "disabled");
  expect(kinds()).toEqual(["endpoint_disabled shop/hook"]);
  await bench.gates.setMode(hook, "enabled");
  expect(kinds()).toEqual([]);
});
