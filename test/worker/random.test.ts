import { expect, test } from "bun:test";
import { deliveryId } from "../../src/jobs/id.ts";
import type { ConfigInput } from "../../src/config/schema.ts";
import type { Lease } from "../../src/queue/driver.ts";
import { createRandom } from "../jobs/odd-json.ts";
import { answer, cut, hang, startReceiver, type Behaviour } from "../support/receiver.ts";
import { newJob, startWorker, type WorkerBench } from "../support/worker.ts";
import { until } from "../support/until.ts";

const total = process.env["HOOKLINE_LONG"] === "1" ? 100_000 : 20_000;
const seed = Number(process.env["HOOKLINE_SEED"] ?? 20_261_121);
const eventNames = ["channel_occupied", "channel_vacated", "member_added", "cache_miss"] as const;

type Random = () => number;
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
const upTo = (random: Random, most: number): number => 1 + Math.floor(random() * most);

/** Some apps with some webhooks each, every one with limits and retries of its own. */
function randomApps(random: Random, url: string): NonNullable<ConfigInput["apps"]> {
  return Array.from({ length: 6 }, (_, app) => ({
    id: `app-${app}`,
    key: `key-of-app-${app}`,
    secret: `secret-of-app-${app}`,
    webhooks: Array.from({ length: upTo(random, 3) }, (_unused, hook) => ({
      name: `hook-${hook}`,
      url: `${url}/${app}/${hook}`,
      event_types: eventNames.filter((_name, index) => index === hook || random() < 0.4),
      concurrency: random() < 0.3 ? upTo(random, 4) : null,
      rate_limit: random() < 0.2 ? { per_second: 300 + 1_000 * random(), burst: upTo(random, 20) } : null,
      breaker: {
        failure_share: 0.3 + random() / 2,
        min_attempts: 5 + upTo(random, 20),
        window_ms: 500,
        open_ms: upTo(random, 200),
      },
      on_gone: random() < 0.1 ? ("disable" as const) : ("dead_letter" as const),
      retry: {
        max_attempts: 1 + upTo(random, 5),
        initial_backoff_ms: upTo(random, 10),
        max_backoff_ms: upTo(random, 60),
        jitter: random(),
      },
      request_timeout_ms: 1_000,
    })),
  }));
}

/** What the receiver does with one delivery's attempts, the last entry for all further ones. */
function randomBehaviours(random: Random): readonly Behaviour[] {
  const fate = random();
  const ok = answer(200, { delayMs: random() < 0.1 ? upTo(random, 20) : 0 });
  if (fate < 0.72) return [ok];
  if (fate < 0.8) return [answer(500), answer(500), ok];
  if (fate < 0.85) return [answer(410)];
  if (fate < 0.89) return [answer(429, { headers: { "retry-after": "1" } }), ok];
  if (fate < 0.94) return [cut(random() < 0.5 ? "reset" : "close"), ok];
  if (fate < 0.97) return [answer(503)];
  if (fate < 0.975) return [hang(random() < 0.5 ? "head" : "body"), ok];
  return [answer(302, { headers: { location: "http://elsewhere.test/" } })];
}

/** Resolves when fewer than `most` jobs wait. */
async function untilWaiting(bench: WorkerBench, most: number): Promise<void> {
  const isBelow = async (): Promise<boolean> => {
    const { ready, delayed, parked } = await bench.stats();
    return (ready ?? 0) + (delayed ?? 0) + (parked ?? 0) < most;
  };
  await until(isBelow, { timeoutMs: 120_000, what: `fewer than ${most} jobs to wait` });
}

/** Leases everything that is left, parked and delayed included: what nobody got to. */
async function takeLeftovers(bench: WorkerBench): Promise<Lease[]> {
  const all: Lease[] = [];
  await until(
    async () => {
      const leases = await bench.memory.lease("webhooks", {
        max: 10_000,
        leaseMs: 600_000,
        waitMs: 0,
        closedKeys: new Set(),
        parkedMax: 10_000,
        signal: new AbortController().signal,
      });
      all.push(...leases);
      const { ready, delayed, parked } = await bench.stats();
      return (ready ?? 0) + (delayed ?? 0) + (parked ?? 0) === 0;
    },
    { what: "everything that was left" },
  );
  return all;
}

test(`${total} random jobs: every one is delivered once, dead, queued, evicted or trimmed (HOOKLINE_SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const scripts = new Map<string, { readonly behaviours: readonly Behaviour[]; attempts: number }>();
  const accepted2xx = new Map<string, number>();
  const behaviourRandom = createRandom(seed + 1);
  await using receiver = await startReceiver({
    record: false,
    behaviour: ({ headers }) => {
      const id = headers["webhook-id"] ?? "";
      let script = scripts.get(id);
      if (script === undefined) {
        script = { behaviours: randomBehaviours(behaviourRandom), attempts: 0 };
        scripts.set(id, script);
      }
      const next = script.behaviours[Math.min(script.attempts, script.behaviours.length - 1)] as Behaviour;
      script.attempts += 1;
      if (next.do === "answer" && next.status === 200) accepted2xx.set(id, (accepted2xx.get(id) ?? 0) + 1);
      return next;
    },
  });
  /** What hookline itself learnt of each delivery; and those whose answer it did not wait for, or get whole. */
  const deliveredTimes = new Map<string, number>();
  const unknown = new Set<string>();
  await using bench = await startWorker({
    attempt: (real) => async (delivery, cut) => {
      const outcome = await real(delivery, cut);
      if (outcome.kind === "delivered") {
        deliveredTimes.set(delivery.id, (deliveredTimes.get(delivery.id) ?? 0) + 1);
      } else if (outcome.kind !== "http_status" && outcome.kind !== "redirect") unknown.add(delivery.id);
      return outcome;
    },
    config: {
      apps: randomApps(random, receiver.url),
      log: { level: "error" },
      queue: {
        memory: { concurrency: 64, capacity: Math.round(total / 10) },
        reliability: { failed_retention: Math.round(total / 40) },
      },
      supervisor: { restart_delay_ms: 1, max_restart_delay_ms: 10, max_restarts: 1_000_000 },
    },
  });

  const apps = [...bench.directory.apps.map(({ id }) => id), "nobody"];
  const expected = new Set<string>();
  let accepted = 0;
  while (accepted < total) {
    // Waves of all sizes: some are over before the next, a few overflow the queue.
    const wave = Math.min(total - accepted, upTo(random, Math.round(total / (random() < 0.15 ? 5 : 20))));
    const jobs = Array.from({ length: wave }, (_, index) => {
      const id = `job-${accepted + index}`;
      const appId = pick(random, apps);
      for (const { nameHash } of bench.directory.findApp(appId, null)?.endpoints ?? []) {
        expected.add(deliveryId(id, nameHash));
      }
      const delayMs = random() < 0.05 ? upTo(random, 100) : 0;
      return newJob(id, { appId, event: pick(random, eventNames), delayMs });
    });
    await bench.put(jobs);
    accepted += wave;
    const { id } = pick(random, bench.supervisor.children());
    if (random() < 0.7) bench.supervisor.crash(id);
    await untilWaiting(bench, total * (random() < 0.5 ? 0.01 : 0.08));
  }
  await untilWaiting(bench, total * 0.01);
  // Longer than any attempt can last: nothing is cut off, so that the counts can be exact.
  await bench.drain(20_000);

  const count = (name: "expanded" | "filteredOut" | "evicted" | "trimmed" | "lost" | "reclaimed"): number =>
    bench.metrics[name].labels({ queue: "webhooks" }).value;
  const dead = await bench.dead();
  const { leased } = await bench.stats();
  const leftovers = await takeLeftovers(bench);
  const delivered = bench.settled("ack") - count("filteredOut");
  expect(leased).toBe(0);
  expect(accepted + count("expanded")).toBe(
    delivered + count("filteredOut") + dead.length + leftovers.length + count("evicted") + count("trimmed"),
  );

  const twice = [...deliveredTimes].filter(([, times]) => times > 1);
  expect(twice).toEqual([]);
  expect(deliveredTimes.size).toBe(delivered);
  expect([...deliveredTimes.keys()].filter((id) => !accepted2xx.has(id))).toEqual([]);
  // On a busy machine a deadline can pass while the answer is on its way: only then the receiver took one that
  // is not known to be delivered, or took it twice.
  const doubtful = [...accepted2xx].filter(([id, times]) => times > 1 || !deliveredTimes.has(id));
  expect(doubtful.filter(([id]) => !unknown.has(id))).toEqual([]);
  expect([...accepted2xx.keys()].filter((id) => !expected.has(id))).toEqual([]);
  const deadAndDelivered = dead.filter(({ jobId }) => deliveredTimes.has(jobId));
  expect(deadAndDelivered).toEqual([]);
  expect(leftovers.filter(({ job }) => deliveredTimes.has(job.id))).toEqual([]);
  expect([count("lost"), count("reclaimed")]).toEqual([0, 0]);

  // The run is worth nothing where it did not meet all of this.
  const reasons = new Set(dead.map(({ reason }) => reason));
  for (const reason of ["unknown_app", "http_410", "redirect"]) expect(reasons).toContain(reason);
  for (const name of ["expanded", "filteredOut", "evicted", "trimmed"] as const) {
    expect([name, count(name) > 0]).toEqual([name, true]);
  }
  for (const verb of ["ack", "retry", "dead", "park", "replace"]) {
    expect([verb, bench.settled(verb) > 0]).toEqual([verb, true]);
  }
}, 300_000);
