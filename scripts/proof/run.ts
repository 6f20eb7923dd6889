import { giveUp, paced, receiverCount } from "./app.ts";
import { deliveryKey } from "./book.ts";
import type { BookedJob } from "./book.ts";
import { until } from "../../test/support/until.ts";
import type { PastFault } from "./fault.ts";
import { holdingsOf } from "./member.ts";
import type { Holdings } from "./member.ts";
import { planFaults } from "./plan.ts";
import { produce } from "./producers.ts";
import { createRandom } from "./random.ts";
import { doomed } from "./receivers.ts";
import { judge } from "./verdict.ts";
import type { Calm, Claim, Stall } from "./verdict.ts";
import { letLoose, now, pause } from "./weather.ts";
import type { World } from "./world.ts";

/** How one world is tried. */
export interface RunOptions {
  readonly faults: number;
  readonly seed: number;
  /** The mean time between two faults. */
  readonly everyMs: number;
  /** No fault begins later. */
  readonly untilMs: number;
  readonly onLine: (line: string) => void;
}

/** What a run in one world has come to. */
export interface RunResult {
  readonly world: string;
  readonly past: readonly PastFault[];
  readonly claims: readonly Claim[];
  readonly jobs: number;
  readonly attempts: number;
  readonly doors: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** How long everything may take to drain when nothing hinders it any more. */
const drainMs = 120_000;

/**
 * Tries one world: calm, weather, a clear sky, the count. The world is closed by whoever made it.
 *
 * @param stopStream Ends a stream of jobs beside the producers, when the weather has cleared.
 */
export async function tryWorld(
  world: World,
  options: RunOptions,
  stopStream: () => Promise<void> = () => Promise.resolve(),
): Promise<RunResult> {
  const { seed, onLine } = options;
  const startedAt = now();
  const random = createRandom(seed);
  const lag = watchLag();
  await Promise.all(world.members.map((member) => member.start()));
  const [refused] = world.members.flatMap(({ ownEnds }) => ownEnds);
  if (refused !== undefined) throw new Error(`${refused.member} does not start:\n${refused.output}`);
  await world.clear();
  await untilReady(world);
  await sendCalmly(world, 40);
  const before = measure(world);

  const plan = planFaults(world.kinds, options);
  // A producer that waits for an answer sends nothing else: several of each, so that there is always something to do.
  const producers = [...world.doors, ...world.doors, ...world.doors].map((door, number) =>
    produce(world.book, door, createRandom(random.whole(0, 2 ** 31)), {
      number,
      groups: world.groups,
      pauseMs: 100,
      // Of several that are refused in part, the later ones could come first.
      perSend: world.groups > 0 ? 1 : 4,
    }),
  );
  const past = await letLoose(plan, world.kinds, { untilMs: options.untilMs, onFault: onLine });
  const clearedAt = now();
  await world.clear();
  onLine(
    `the weather clears after ${past.length} faults; ${world.book.outstanding} deliveries are outstanding`,
  );
  await untilReady(world);
  await Promise.all([...producers.map((producer) => producer.stop()), stopStream()]);
  const queued = await drain(world);
  onLine(`drained, ${queued} left`);

  const calm = await beCalm(world, before);
  const dead = await world.dead();
  const claims = judge({
    world,
    past,
    dead,
    queued,
    lagMs: lag.longest(),
    stalls: lag.stalls,
    clearedAt,
    calm,
  });
  lag.stop();
  const count = (names: readonly string[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  };
  return {
    world: world.name,
    past,
    claims,
    jobs: world.book.jobs.length,
    attempts: world.book.arrivals.reduce((sum, each) => sum + each.length, 0),
    doors: count(world.book.jobs.map(({ door }) => door)),
    reasons: count(dead.map(({ reason }) => reason)),
    seconds: Math.round((now() - startedAt) / 100) / 10,
  };
}

async function untilReady(world: World): Promise<void> {
  for (const member of world.members) {
    await until(
      () =>
        member.ask("GET", "/health/ready").then(
          ({ status }) => status === 200,
          () => false,
        ),
      { what: `${member.name} to be ready`, everyMs: 50, timeoutMs: drainMs },
    );
  }
}

/** Waits until the backend holds nothing any more; gives what it holds when that takes too long. */
async function drain(world: World): Promise<number> {
  const end = now() + drainMs;
  for (;;) {
    const queued = await world.queued();
    if (queued === 0 || now() > end) return queued;
    await pause(100);
  }
}

type Measured = ReadonlyMap<string, Holdings | number | null>;

function measure(world: World): Measured {
  const measured = new Map<string, Holdings | number | null>([["connections", world.connections()]]);
  for (const { name, server } of world.members)
    if (server !== null) measured.set(name, holdingsOf(server.pid));
  return measured;
}

/** Jobs through every door, one after the other; gives how long each took from its confirmation on. */
async function sendCalmly(world: World, count: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const door = world.doors[index % world.doors.length];
    if (door === undefined) break;
    // The paced one makes jobs wait by itself.
    const receiver = index % receiverCount === paced.receiver ? 0 : index % receiverCount;
    const isDoomed = index % 20 === 19;
    const job = isDoomed
      ? world.book.add(`${door.name} ${doomed}`, [giveUp.receiver], world.groups > 0 ? "calm-doomed" : null)
      : world.book.add(door.name, [receiver], world.groups > 0 ? `calm-${index}` : null);
    await door.send([job]);
    if (isDoomed || job.confirmedAt === null) continue;
    const at = await arrival(world, job, receiver);
    if (at !== null) latencies.push(at - (job.confirmedAt ?? at));
  }
  return latencies;
}

/** When it was accepted; null where it never is, which the count will show. */
async function arrival(world: World, job: BookedJob, receiver: number): Promise<number | null> {
  const end = now() + 20_000;
  for (;;) {
    const [accepted] = world.book.accepted.get(deliveryKey(job.n, receiver)) ?? [];
    if (accepted !== undefined) return accepted.at;
    if (now() > end) return null;
    await pause(2);
  }
}

/** Connections to receivers that a process may keep open for a while. */
const descriptorGrowth = 64;
/** Megabytes that a process may have gained: what its allocator keeps. */
const rssGrowthMb = 120;

async function beCalm(world: World, before: Measured): Promise<Calm> {
  const from = world.book.jobs.length;
  const latenciesMs = await sendCalmly(world, 60);
  const to = world.book.jobs.length - 1;
  await drain(world);
  const after = measure(world);
  const text = ({ rssMb, descriptors }: Holdings): string => `${rssMb} MB, ${descriptors} descriptors`;
  const holdings = world.members.flatMap(({ name }) => {
    const [old, current] = [before.get(name) as Holdings, after.get(name) as Holdings | undefined];
    if (current === undefined) return [{ member: name, before: text(old), after: "gone", isBack: false }];
    const isBack =
      current.rssMb <= old.rssMb + rssGrowthMb && current.descriptors <= old.descriptors + descriptorGrowth;
    return [{ member: name, before: text(old), after: text(current), isBack }];
  });
  return {
    from,
    to,
    latenciesMs,
    holdings,
    connectionsBefore: before.get("connections") as number | null,
    connectionsAfter: after.get("connections") as number | null,
  };
}

/** A machine that is busy must not be taken for a fault of hookline's: when this process itself did not run. */
function watchLag(): { readonly stalls: readonly Stall[]; longest(): number; stop(): void } {
  const everyMs = 20;
  const stalls: Stall[] = [];
  let last = now();
  let longest = 0;
  const timer = setInterval(() => {
    const at = now();
    const ms = at - last - everyMs;
    longest = Math.max(longest, ms);
    if (ms >= shortestStallMs) stalls.push({ from: last, to: at });
    last = at;
  }, everyMs);
  return { stalls, longest: () => longest, stop: () => clearInterval(timer) };
}

const shortestStallMs = 200;
