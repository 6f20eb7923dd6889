import { concurrency, giveUp, leaseMs, paced, receiverCount, requestTimeoutMs } from "./app.ts";
import { deliveryKey } from "./book.ts";
import type { Book, BookedJob } from "./book.ts";
import type { PastFault } from "./fault.ts";
import type { OwnEnd } from "./member.ts";
import type { ProofDead, World } from "./world.ts";

/** One thing that was promised, and whether it held. */
export interface Claim {
  readonly name: string;
  readonly holds: boolean;
  /** The numbers behind it, in a line. */
  readonly detail: string;
}

/** A time in which the machine did not let this process run, and perhaps no other. */
export interface Stall {
  readonly from: number;
  readonly to: number;
}

/** What a run has seen, to be judged. */
export interface Seen {
  readonly world: World;
  readonly past: readonly PastFault[];
  readonly dead: readonly ProofDead[];
  readonly queued: number;
  /** The longest time on end that this process itself did not run, in ms. */
  readonly lagMs: number;
  readonly stalls: readonly Stall[];
  /** Epoch ms of the end of the weather. */
  readonly clearedAt: number;
  readonly calm: Calm;
}

/** What the time after the weather has shown. */
export interface Calm {
  /** Numbers of the first and the last job made in it. */
  readonly from: number;
  readonly to: number;
  /** Milliseconds from a job's confirmation to its arrival. */
  readonly latenciesMs: readonly number[];
  readonly holdings: readonly {
    readonly member: string;
    readonly before: string;
    readonly after: string;
    readonly isBack: boolean;
  }[];
  readonly connectionsBefore: number | null;
  readonly connectionsAfter: number | null;
}

const line = (name: string, holds: boolean, detail: string): Claim => ({ name, holds, detail });

/** Every claim of contract §1 that a run can show. */
export function judge(seen: Seen): Claim[] {
  return [
    nothingLost(seen),
    doublesExplained(seen),
    givenUpInTime(seen),
    limitsKept(seen),
    rateKept(seen),
    ...(seen.world.groups > 0 ? [orderKept(seen)] : []),
    signed(seen),
    noOwnEnd(seen),
    calmAfter(seen),
    holdingsBack(seen),
  ];
}

/** Deliveries whose job the backend has confirmed. */
function* owed(book: Book): Generator<{ job: BookedJob; receiver: number; key: string }> {
  for (const job of book.jobs) {
    if (job.confirmedAt === null) continue;
    for (const receiver of job.receivers) yield { job, receiver, key: deliveryKey(job.n, receiver) };
  }
}

function nothingLost({ world: { book }, dead, queued }: Seen): Claim {
  const deadKeys = new Set(
    dead.flatMap(({ n, receiver }) =>
      receiver === null
        ? (book.jobs[n]?.receivers ?? []).map((each) => deliveryKey(n, each))
        : [deliveryKey(n, receiver)],
    ),
  );
  let confirmed = 0;
  let delivered = 0;
  let given = 0;
  const missing: string[] = [];
  for (const { job, key } of owed(book)) {
    confirmed += 1;
    if (book.accepted.has(key)) delivered += 1;
    else if (deadKeys.has(key)) given += 1;
    else missing.push(`${key} (${job.door})`);
  }
  const withoutReason = dead.filter(({ reason }) => !reason).length;
  const lost = missing.length - Math.min(queued, missing.length);
  return line(
    "nothing is lost",
    missing.length === 0 && queued === 0 && withoutReason === 0,
    `${confirmed} confirmed deliveries = ${delivered} delivered + ${given} dead with a reason + ${missing.length - lost} still queued + ${lost} lost${
      missing.length === 0 ? "" : `: ${missing.slice(0, 8).join(", ")}`
    }${queued === 0 ? "" : `; the queue holds ${queued} and does not drain`}`,
  );
}

/** How long after its end a fault may still show: what was leased then ends, and is taken up by others. */
const aftermathMs = leaseMs + requestTimeoutMs;

/** Whether the machine stood still while the job was on its way: leases and answers are late then. */
function stoodStill(stalls: readonly Stall[], job: BookedJob, until: number): boolean {
  return stalls.some(({ from, to }) => from <= until && to + aftermathMs >= job.madeAt);
}

function doublesExplained({ world: { book }, past, stalls, clearedAt }: Seen): Claim {
  let doubles = 0;
  const unexplained: string[] = [];
  const ids: string[] = [];
  for (const job of book.jobs) {
    for (const receiver of job.receivers) {
      const all = book.accepted.get(deliveryKey(job.n, receiver)) ?? [];
      if (new Set(all.map(({ webhookId }) => webhookId)).size > 1) ids.push(deliveryKey(job.n, receiver));
      for (const [index, again] of all.entries()) {
        const first = all[index - 1];
        if (first === undefined) continue;
        doubles += 1;
        const isExplained = past.some(
          ({ kind, planned, beganAt, endedAt }) =>
            (kind.doubles === "all" || (kind.doubles === "receiver" && planned.target === receiver)) &&
            beganAt <= again.at &&
            // What was doubled on its way may have waited behind others before it was delivered.
            endedAt + aftermathMs >= job.madeAt,
        );
        if (!isExplained && !stoodStill(stalls, job, again.at))
          unexplained.push(
            `${deliveryKey(job.n, receiver)} ${Math.round(first.at - clearedAt)} and ${Math.round(again.at - clearedAt)} ms after the weather`,
          );
      }
    }
  }
  return line(
    "every double falls into a fault's window and carries the same webhook-id",
    unexplained.length === 0 && ids.length === 0,
    `${doubles} doubles, ${unexplained.length} unexplained${first(unexplained)}, ${ids.length} with another webhook-id${first(ids)}`,
  );
}

const first = (list: readonly string[]): string =>
  list.length === 0 ? "" : ` (${list.slice(0, 3).join(", ")})`;

/** A delivery that always fails ends after its attempts; a fault can take the count of one that is on its way. */
function givenUpInTime({ world: { book, members, countsAttemptsForAll }, dead, calm }: Seen): Claim {
  const limit = countsAttemptsForAll ? giveUp.attempts : members.length * (giveUp.attempts - 1) + 1;
  const ended = new Set(dead.map(({ n, receiver }) => deliveryKey(n, receiver ?? -1)));
  let count = 0;
  let most = 0;
  const wrong: string[] = [];
  for (const { job, key } of owed(book)) {
    if (!job.door.endsWith("doomed") || !ended.has(key)) continue;
    count += 1;
    const attempts = book.attempts.get(key) ?? 0;
    most = Math.max(most, attempts);
    const isCalm = job.n >= calm.from;
    if (isCalm && (attempts < giveUp.attempts || attempts > limit)) wrong.push(`${key}: ${attempts}`);
    // Where each process counts for itself, each end of one begins anew.
    if (countsAttemptsForAll && attempts > limit * 4) wrong.push(`${key}: ${attempts}`);
  }
  return line(
    `a delivery that always fails ends after ${limit === giveUp.attempts ? "" : `${giveUp.attempts} to `}${limit} attempts, more only where a fault took the count of one`,
    wrong.length === 0,
    `${count} such, at most ${most} attempts${first(wrong)}`,
  );
}

/** Longer than it takes a receiver to learn that an attempt was given up. */
const toleratedMs = 400;

function limitsKept({ world, lagMs }: Seen): Claim {
  const tolerated = toleratedMs + lagMs;
  const gauges = [
    { name: "all", gauge: world.inFlight },
    ...world.receivers.map(({ inFlight }, index) => ({ name: `receiver ${index}`, gauge: inFlight })),
  ];
  const wrong = gauges.filter(({ gauge }) => gauge.longestAboveMs() > tolerated);
  return line(
    "no attempt above a limit",
    wrong.length === 0,
    `at most ${world.inFlight.most} in flight (limit ${world.members.length} × (${concurrency} + ${receiverCount}))${first(
      wrong.map(({ name, gauge }) => `${name} above its limit for ${Math.round(gauge.longestAboveMs())} ms`),
    )}`,
  );
}

const rateWindowMs = 5_000;

function rateKept({ world, lagMs }: Seen): Claim {
  const arrivals = world.book.arrivals[paced.receiver] ?? [];
  const each = paced.perSecond * world.members.length;
  const limit = (each * (rateWindowMs + lagMs + 500)) / 1_000 + world.members.length;
  let most = 0;
  for (let from = 0, to = 0; to < arrivals.length; to += 1) {
    while ((arrivals[to] as number) - (arrivals[from] as number) > rateWindowMs) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return line(
    "no endpoint gets more attempts a second than its rate limit",
    most <= limit,
    `at most ${most} in ${rateWindowMs / 1_000} s, limit ${Math.floor(limit)}`,
  );
}

function orderKept({ world: { book }, dead }: Seen): Claim {
  const deadKeys = new Set(dead.map(({ n, receiver }) => deliveryKey(n, receiver ?? -1)));
  const lastFirst = new Map<string, { n: number; at: number }>();
  const wrong: string[] = [];
  let count = 0;
  for (const { job, receiver, key } of owed(book)) {
    const [firstAccepted] = book.accepted.get(key) ?? [];
    if (job.group === null || firstAccepted === undefined || deadKeys.has(key)) continue;
    const line = `${job.group}/${receiver}`;
    const before = lastFirst.get(line);
    count += 1;
    if (before !== undefined && firstAccepted.at < before.at)
      wrong.push(`${job.n} before ${before.n} of ${line}`);
    lastFirst.set(line, { n: job.n, at: firstAccepted.at });
  }
  return line(
    "order within each group",
    wrong.length === 0,
    `${count} deliveries in order of their groups, ${wrong.length} out of order${first(wrong)}`,
  );
}

function signed({ world: { book } }: Seen): Claim {
  return line(
    "what arrives is what was signed",
    book.forged === 0,
    `${book.forged} of ${sum(book)} attempts with a wrong signature`,
  );
}

function sum(book: Book): number {
  return book.arrivals.reduce((total, each) => total + each.length, 0);
}

function noOwnEnd({ world, past, lagMs }: Seen): Claim {
  const ends = world.members.flatMap(({ ownEnds }) => ownEnds);
  const isExplained = ({ startedAt, at, isAtStart }: OwnEnd): boolean =>
    past.some(
      ({ kind, beganAt, endedAt }) =>
        (kind.mayEnd === "process" || (kind.mayEnd === "start" && isAtStart)) &&
        beganAt <= at &&
        // What a start has met it may say a while later.
        endedAt + toleratedMs >= (isAtStart ? startedAt : at - lagMs),
    );
  const wrong = ends.filter((end) => !isExplained(end));
  return line(
    "no process ended by itself, but where a fault makes it",
    wrong.length === 0,
    `${ends.length - wrong.length} refused a start or ended as a fault makes them${wrong.map(({ member, output }) => `; ${member} ended by itself:\n${output}`).join("")}`,
  );
}

/** A job that waits for nothing arrives sooner than this, but for a machine that is busy. */
const promptMs = 700;

function calmAfter({ world: { book }, calm, lagMs, stalls }: Seen): Claim {
  const again: string[] = [];
  const refused = book.jobs.slice(calm.from, calm.to + 1).filter(({ confirmedAt }) => confirmedAt === null);
  for (const job of book.jobs.slice(calm.from, calm.to + 1)) {
    for (const receiver of job.receivers) {
      const all = book.accepted.get(deliveryKey(job.n, receiver)) ?? [];
      const last = all.at(-1);
      if (last === undefined || all.length === 1 || stoodStill(stalls, job, last.at)) continue;
      again.push(`${deliveryKey(job.n, receiver)}: ${all.length} times`);
    }
  }
  const sorted = [...calm.latenciesMs].sort((a, b) => a - b);
  const late = sorted.filter((ms) => ms > promptMs + lagMs).length;
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return line(
    "after the weather every job comes once, and at once",
    again.length === 0 && refused.length === 0 && late <= sorted.length / 4,
    `${refused.length} jobs not taken in${first(refused.map(({ door }) => door))}, ${sorted.length} deliveries, median ${Math.round(median)} ms, ${late} later than ${Math.round(promptMs + lagMs)} ms${first(again)}`,
  );
}

function holdingsBack({ world, calm }: Seen): Claim {
  const { connectionsBefore: before, connectionsAfter: after } = calm;
  const areConnectionsBack = before === null || after === null || after <= before + world.moreConnections;
  const connections = before === null ? "" : `; connections to the backend ${before} → ${String(after)}`;
  return line(
    "memory, descriptors and connections are back",
    areConnectionsBack && calm.holdings.every(({ isBack }) => isBack),
    `${calm.holdings.map(({ member, before, after }) => `${member}: ${before} → ${after}`).join("; ")}${connections}`,
  );
}
