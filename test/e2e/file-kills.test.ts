import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { startExecutable } from "../support/executable.ts";
import type { Executable } from "../support/executable.ts";
import { temporaryFolder } from "../support/file-driver.ts";
import { answer, startReceiver } from "../support/receiver.ts";
import { readStoredJobs } from "../support/stored-jobs.ts";
import { until } from "../support/until.ts";
import { configFor, isSigned, jobNumberOf, jobsFrom } from "./scenario.ts";

const long = process.env["HOOKLINE_LONG"] === "1";
const kills = long ? 200 : 6;
const concurrency = 16;
/** In flight at most: one for each slot, and one beyond for the only endpoint. */
const inFlight = concurrency + 1;
/**
 * Leased at most (worker/queue-worker.ts, worker/schedule/prefetch.ts): two for each slot wait, beside one for each free
 * place; others are in flight, and as many may just be settled.
 */
const mostLeased = 2 * concurrency + 3 * inFlight;

/** Posts jobs, ten a request and one request after the other, until the server is gone; notes those that were confirmed. */
async function postUntilGone(server: Executable, from: number, confirmed: Set<number>): Promise<void> {
  for (let first = from; ; first += 10) {
    let answered: { status: number; text: string };
    try {
      answered = await server.api("POST", "/v1/queues/webhooks/jobs", jobsFrom(first, 10));
    } catch {
      // Whether these ten are there nobody knows.
      return;
    }
    // A backlog may fill the little room there is: what is refused is none of ours.
    if (answered.status === 503 && answered.text.includes("storage_full")) continue;
    if (answered.status !== 202) throw new Error(`${answered.status} ${answered.text}`);
    for (let n = first; n < first + 10; n += 1) confirmed.add(n);
  }
}

test(`${kills} times killed under load: each 202 is delivered, and again only what was leased, or acked in the last two groups`, async () => {
  using folder = temporaryFolder();
  await using receiver = await startReceiver({ record: false });
  /** Accepted deliveries of each job, over all processes. */
  const accepted = new Map<number, number>();
  /** The jobs that the process that runs now had accepted, in order. */
  const acceptedNow = new Set<number>();
  const ids = new Map<number, string>();
  const refusedOnce = new Set<number>();
  receiver.behave((request) => {
    if (!isSigned(request)) throw new Error("a delivery with a wrong signature");
    const n = jobNumberOf(request);
    const id = String(request.headers["webhook-id"]);
    if ((ids.get(n) ?? id) !== id) throw new Error(`job ${n} came as ${ids.get(n)} and as ${id}`);
    ids.set(n, id);
    if (n % 7 === 0 && !refusedOnce.has(n)) {
      refusedOnce.add(n);
      return answer(503);
    }
    if (acceptedNow.has(n)) throw new Error(`one process delivered job ${n} twice`);
    acceptedNow.add(n);
    accepted.set(n, (accepted.get(n) ?? 0) + 1);
    return answer(200);
  });
  const config = configFor([{ name: "hook", url: receiver.url, breaker: { min_attempts: 1_000_000 } }], {
    // So small that segments are cleaned away all the time.
    queue: { driver: "file", file: { path: folder.path, concurrency, min_free_mb: 1, max_bytes: 6_000_000 } },
  });

  const confirmed = new Set<number>();
  /** How many accepted deliveries a job must have come to in the end, where it is not one. */
  const owed = new Map<number, number>();
  let next = 0;
  let mostDoubled = 0;
  const firstSegments = new Set<string>();
  for (let kill = 0; kill < kills; kill += 1) {
    const server = await startExecutable(config);
    const before = confirmed.size;
    const posting = [0, 1, 2].map((lane) => postUntilGone(server, next + lane * 100_000, confirmed));
    next += 300_000;
    const wanted = before + 60 + Math.random() * 300;
    await until(() => confirmed.size > wanted, { what: "confirmed jobs", everyMs: 1 });
    server.signal("SIGKILL");
    await server.exited;
    await Promise.all(posting);
    // What the process had sent has arrived.
    await until(() => receiver.openConnections === 0, { what: "the end of its connections" });

    const stored = await readStoredJobs(folder.path);
    firstSegments.add(readdirSync(join(folder.path, "journal")).sort()[0] ?? "");
    const numberOf = (body: string): number => Number(/"channel":"room-(\d+)"/.exec(body)?.[1]);
    const leased = new Set(stored.leased.map(numberOf));
    const kept = new Set(stored.bodies.map(numberOf));
    // As the last group that was written has it.
    expect(leased.size).toBeLessThanOrEqual(mostLeased);
    const order = [...acceptedNow];
    const lastAcked = order.findLastIndex((n) => !kept.has(n));
    for (const [at, n] of order.entries()) {
      if (!kept.has(n)) continue;
      owed.set(n, (owed.get(n) ?? 1) + 1);
      // Its lease was not written either: then it began after the group that has the newest ack, and was acked in one of
      // the two that were not written.
      if (!leased.has(n) && at < lastAcked) throw new Error(`job ${n} was acked long before kill ${kill}`);
    }
    const doubled = order.filter((n) => kept.has(n));
    mostDoubled = Math.max(mostDoubled, doubled.length);
    acceptedNow.clear();
  }

  await using server = await startExecutable(config);
  await until(() => [...confirmed].every((n) => accepted.has(n)), {
    what: "every confirmed job to arrive",
    everyMs: 50,
  });
  await server.untilIdle("webhooks", 60_000);
  expect(await server.stats()).toMatchObject({ ready: 0, delayed: 0, parked: 0, dead: 0 });
  // To the job: nothing was delivered again but what the store still had at a kill.
  for (const [n, times] of accepted) expect([n, times]).toEqual([n, owed.get(n) ?? 1]);
  if (long) expect(firstSegments.size).toBeGreaterThan(5);
  expect(existsSync(join(folder.path, "journal"))).toBe(true);
  const doubles = [...owed.values()].reduce((sum, times) => sum + times - 1, 0);
  console.log(
    `${kills} kills: ${confirmed.size} jobs confirmed, ${accepted.size} delivered, ${doubles} twice (at most ${mostDoubled} a kill), ${firstSegments.size} first segments`,
  );
  expect(await server.stop()).toBe(0);
}, 3_600_000);
