/**
 * Shows what endpoints that hang, are slow or dead cost the others, on the executable: contract §1.4. Prints, and
 * judges nothing.
 *
 * usage: scripts/bench/lanes [--driver=memory|redis|both] [--seconds=25] [--timeout-ms=10000] [--backlog=1000000]
 */
import { parseArgs } from "node:util";
import {
  allWith,
  compareLatency,
  cpuMs,
  endpointNames,
  enqueueBacklog,
  laneJob,
  measureLatency,
  memoryMb,
  percentile,
  postSteadily,
  redisCommands,
  startLaneBench,
  untilArrived,
  untilEmpty,
  type LaneBench,
  type Latency,
} from "../../test/support/lane-load.ts";
import { keepRow, show } from "./parts/figures.ts";
import { until } from "../../test/support/until.ts";

const { values } = parseArgs({
  options: {
    driver: { type: "string", default: "both" },
    seconds: { type: "string", default: "25" },
    "timeout-ms": { type: "string", default: "10000" },
    backlog: { type: "string", default: "1000000" },
  },
});
const seconds = Number(values.seconds);
const timeoutMs = Number(values["timeout-ms"]);
const backlog = Number(values.backlog);
const drivers =
  values.driver === "both" ? (["memory", "redis"] as const) : [values.driver as "memory" | "redis"];

const ms = (value: number): string => `${value.toFixed(2)} ms`;
function print(label: string, { count, p50, p99, max }: Latency): void {
  console.log(`  ${label.padEnd(26)} n ${count}  p50 ${ms(p50)}  p99 ${ms(p99)}  max ${ms(max)}`);
}
async function pause(forMs: number): Promise<void> {
  await Bun.sleep(forMs);
}

/** What the process and its Redis do in some seconds. */
async function cost({ server, redis }: LaneBench, work: () => Promise<unknown>): Promise<string> {
  const startedAt = performance.now();
  const cpu = cpuMs(server.pid);
  const commands = redis === null ? 0 : await redisCommands(redis);
  await work();
  const passed = (performance.now() - startedAt) / 1_000;
  const perSecond = redis === null ? 0 : ((await redisCommands(redis)) - commands) / passed;
  const share = ((cpuMs(server.pid) - cpu) / passed / 10).toFixed(1);
  const { now, peak } = memoryMb(server.pid);
  const asked = redis === null ? "" : `  ${perSecond.toFixed(0)} redis commands/s`;
  return `CPU ${share} %${asked}  RSS ${now.toFixed(0)} MB (peak ${peak.toFixed(0)})`;
}

for (const driver of drivers) {
  console.log(
    `${driver}: 40 endpoints, concurrency 40, 200 jobs/s, ${seconds} s each; latency of 20 of them`,
  );
  {
    const names = endpointNames(40);
    const [watched, others] = [names.slice(0, 20), names.slice(20)];
    const webhooks = { request_timeout_ms: timeoutMs };
    const start = (): Promise<LaneBench> =>
      startLaneBench({ driver, concurrency: 40, endpoints: allWith(names), webhooks });
    // Side by side, so that the machine's noise is in both.
    await using control = await start();
    await using bench = await start();
    const servers = [control.server, bench.server];
    await postSteadily(servers, names, { perSecond: 200, seconds: 3 });
    await bench.receiver.behave(others, "hang");
    await postSteadily(servers, names, { perSecond: 200, seconds: (timeoutMs / 1_000) * 1.2 });
    const load = { watched, perSecond: 200, seconds: seconds / 5, slices: 5 };
    let compared: Awaited<ReturnType<typeof compareLatency>> | null = null;
    const busy = await cost(bench, async () => {
      compared = await compareLatency([control, bench], names, load);
    });
    const { ratio, slices } = compared as unknown as Awaited<ReturnType<typeof compareLatency>>;
    for (const [without, beside] of slices) {
      print("none hangs", without);
      print(`20 hang for ${timeoutMs} ms`, beside);
    }
    console.log(`  ${"".padEnd(26)} ${busy}`);
    console.log(`  ${"p99 beside / without".padEnd(26)} ${ratio.toFixed(2)} (median of five)`);
    keepRow({
      what: `40 endpoints on ${driver}, 20 of them hang, 200 jobs/s: p99 at the others`,
      hookline: "",
      beside: "the same when none hangs",
      ratio: `${show(ratio, 2)} × the p99`,
    });
  }

  console.log(
    `${driver}: ${backlog.toLocaleString("en")} jobs for a dead endpoint ahead of 1,000 for another, concurrency 20`,
  );
  {
    const endpoints = { dead: { breaker: { open_ms: 600_000 } }, well: {} };
    const webhooks = { request_timeout_ms: 1_000, retry: { initial_backoff_ms: 100, max_backoff_ms: 1_000 } };
    await using bench = await startLaneBench({ driver, concurrency: 20, endpoints, webhooks });
    const { server, receiver } = bench;
    await receiver.behave(["dead"], "hang");
    await server.api("POST", "/v1/queues/webhooks/pause");
    await enqueueBacklog(server, "dead", backlog);
    await enqueueBacklog(server, "well", 1_000);
    await server.api("POST", "/v1/queues/webhooks/resume");
    const resumedAt = performance.now();
    await untilArrived(receiver, "well", 1, 600_000);
    const firstMs = performance.now() - resumedAt;
    await untilArrived(receiver, "well", 1_000, 600_000);
    const allMs = performance.now() - resumedAt;
    console.log(`  its first job after ${firstMs.toFixed(0)} ms, all of them after ${allMs.toFixed(0)} ms`);
    await until(async () => (await server.stats())["parked"] === backlog, {
      timeoutMs: 60_000,
      what: "parked jobs",
    });
    console.log(`  then, nothing to do:   ${await cost(bench, () => pause(10_000))}`);
    await receiver.clear();
    const steady = await cost(bench, () => postSteadily([server], ["well"], { perSecond: 50, seconds: 5 }));
    await untilArrived(receiver, "well", 250);
    const delays = (await receiver.look())["well"]?.delaysMs ?? [];
    console.log(
      `  50 jobs/s beside it:   p50 ${ms(percentile(delays, 0.5))}  p99 ${ms(percentile(delays, 0.99))}  ${steady}`,
    );
    await receiver.behave(["dead"], { status: 200 });
    const healedAt = performance.now();
    await server.api("POST", "/v1/endpoints/-/dead/enable");
    await untilEmpty(server, "webhooks", 1_200_000);
    const healedMs = performance.now() - healedAt;
    const { dead } = await server.stats();
    console.log(
      `  healed: all delivered in ${healedMs.toFixed(0)} ms, ${((backlog / healedMs) * 1_000).toFixed(0)} jobs/s, dead letters ${dead}`,
    );
  }

  console.log(
    `${driver}: an endpoint of 20 ms and concurrency 1, one limited to 20/s, 20,000 jobs each; latency of a third`,
  );
  {
    const endpoints = { slow: { concurrency: 1 }, limited: { rate_limit: { per_second: 20 } }, well: {} };
    await using bench = await startLaneBench({ driver, concurrency: 20, endpoints });
    const { server, receiver } = bench;
    await receiver.behave(["slow"], { status: 200, delayMs: 20 });
    await enqueueBacklog(server, "slow", 20_000);
    await enqueueBacklog(server, "limited", 20_000);
    await server.enqueue("webhooks", laneJob("well", 0));
    const askedAt = performance.now();
    await untilArrived(receiver, "well", 1, 60_000);
    console.log(`  first job behind both backlogs after ${(performance.now() - askedAt).toFixed(0)} ms`);
    let latencies: Latency[] = [];
    const load = { watched: ["well"], perSecond: 50, seconds: Math.min(seconds, 10) };
    const busy = await cost(bench, async () => {
      latencies = await measureLatency([bench], ["well"], load);
    });
    print("beside them", latencies[0] as Latency);
    console.log(`  ${"".padEnd(26)} ${busy}`);
  }
}
