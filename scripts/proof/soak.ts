import { token } from "../../test/support/executable.ts";
import { app } from "./app.ts";
import { deliveryKey } from "./book.ts";
import type { BookedJob } from "./book.ts";
import { holdingsOf } from "./member.ts";
import { eventsOf } from "./producers.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { tryWorld } from "./run.ts";
import type { Claim } from "./verdict.ts";
import { now, pause } from "./weather.ts";
import type { World } from "./world.ts";

/** What was measured of one process at one moment. */
interface Sample {
  readonly member: string;
  readonly pid: number;
  readonly at: number;
  readonly rssMb: number;
  readonly descriptors: number;
}

const jobsPerRequest = 100;
const sampleEveryMs = 5_000;
/** What a process may gain from the middle of its life to its end. */
const rssRoomMb = 60;
const descriptorRoom = 64;

/**
 * A steady stream for a long time with a fault now and then: memory, descriptors and the time to a delivery must stay
 * where they were.
 */
export async function soak(
  world: World,
  options: RunOptions & { readonly jobsPerSecond: number },
): Promise<RunResult> {
  const samples: Sample[] = [];
  const latencies: { readonly at: number; readonly ms: number }[] = [];
  const end = new AbortController();
  const sampling = sampleAll(world, samples, latencies, end.signal);
  const stream = streamJobs(world, options.jobsPerSecond, end.signal);
  const stopStream = async (): Promise<void> => {
    end.abort();
    await Promise.all([sampling, stream]);
  };
  const result = await tryWorld(world, options, stopStream);
  return { ...result, claims: [...result.claims, flatHoldings(samples), flatLatency(latencies)] };
}

async function streamJobs(world: World, perSecond: number, signal: AbortSignal): Promise<void> {
  const sending = new Set<Promise<void>>();
  const everyMs = (jobsPerRequest * 1_000) / perSecond;
  for (let n = 0, next = now(); !signal.aborted; n += 1) {
    next = Math.max(next + everyMs, now() - 1_000);
    await pause(Math.max(0, next - now()));
    // What cannot be taken in now is not made up for.
    if (sending.size >= 16 || world.book.outstanding > 5 * perSecond) continue;
    const jobs = Array.from({ length: jobsPerRequest }, (_, index) =>
      // The paced and the narrow one would hold the others back in the book.
      world.book.add("stream", [(n * jobsPerRequest + index) % 5]),
    );
    const one = post(world, jobs, n).finally(() => sending.delete(one));
    sending.add(one);
  }
  await Promise.all(sending);
}

async function post(world: World, jobs: readonly BookedJob[], n: number): Promise<void> {
  const { server } = world.members[n % world.members.length] ?? {};
  if (server === null || server === undefined) return;
  const body = jobs.map((job) => ({
    id: `p-${job.n}`,
    app_id: app.id,
    payload: { time_ms: Date.now(), events: eventsOf(job) },
  }));
  try {
    const response = await fetch(`${server.url}/v1/queues/webhooks/jobs`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    });
    await response.arrayBuffer();
    const at = now();
    if (response.status === 202) for (const job of jobs) world.book.confirm(job, at);
  } catch {
    // Away, or its answer was lost: nobody knows whether they are there.
    return;
  }
}

async function sampleAll(
  world: World,
  samples: Sample[],
  latencies: { at: number; ms: number }[],
  signal: AbortSignal,
): Promise<void> {
  for (let seen = 0; !signal.aborted;) {
    await pause(sampleEveryMs);
    const at = now();
    for (const { name, server } of world.members) {
      if (server !== null) samples.push({ member: name, pid: server.pid, at, ...holdingsOf(server.pid) });
    }
    const { jobs, accepted } = world.book;
    const fresh: number[] = [];
    for (; seen < jobs.length; seen += 97) {
      const job = jobs[seen] as BookedJob;
      const [first] = accepted.get(deliveryKey(job.n, job.receivers[0] ?? -1)) ?? [];
      if (first !== undefined && job.confirmedAt !== null) fresh.push(first.at - job.confirmedAt);
    }
    fresh.sort((a, b) => a - b);
    if (fresh.length > 0) latencies.push({ at, ms: fresh[Math.floor(fresh.length / 2)] ?? 0 });
  }
}

/** The median, which one bad moment does not move. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Compares the second and the last quarter of each process that lived long enough. */
function flatHoldings(samples: readonly Sample[]): Claim {
  const lines: string[] = [];
  let holds = true;
  for (const pid of new Set(samples.map((sample) => sample.pid))) {
    const own = samples.filter((sample) => sample.pid === pid);
    if (own.length < 8) continue;
    const quarter = Math.floor(own.length / 4);
    const [early, late] = [own.slice(quarter, 2 * quarter), own.slice(-quarter)];
    const rss = [early, late].map((part) => median(part.map(({ rssMb }) => rssMb)));
    const descriptors = [early, late].map((part) => median(part.map((sample) => sample.descriptors)));
    holds &&= (rss[1] ?? 0) <= (rss[0] ?? 0) + rssRoomMb;
    holds &&= (descriptors[1] ?? 0) <= (descriptors[0] ?? 0) + descriptorRoom;
    lines.push(`${own[0]?.member}: ${rss.join(" → ")} MB, ${descriptors.join(" → ")} descriptors`);
  }
  return {
    name: "memory and descriptors stay flat",
    holds,
    detail: lines.join("; ") || "no process lived long enough",
  };
}

function flatLatency(latencies: readonly { ms: number }[]): Claim {
  const quarter = Math.max(1, Math.floor(latencies.length / 4));
  const early = median(latencies.slice(quarter, 2 * quarter).map(({ ms }) => ms));
  const late = median(latencies.slice(-quarter).map(({ ms }) => ms));
  return {
    name: "the time to a delivery stays flat",
    holds: late <= 3 * Math.max(early, 200),
    detail: `median ${Math.round(early)} ms in the second quarter, ${Math.round(late)} ms in the last`,
  };
}
