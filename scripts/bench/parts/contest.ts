import type { Contender } from "./contender.ts";
import { type DeliveryRun, medianRun, watchDeliveries } from "./delivery-run.ts";
import { keepRow, median, show } from "./figures.ts";
import type { BenchReceiver } from "./receiver-client.ts";
import type { Workload } from "./workload.ts";

/** Who takes part: the first one is the bare loop that the others are compared with. */
export interface Rival {
  readonly name: string;
  /** A line of the table is kept for it (scripts/bench/all). */
  readonly isHookline: boolean;
  /** Puts the jobs in place; not measured. Then `start` lets the deliveries begin. */
  prepare(workload: Workload, jobs: number): Promise<{ readonly start: () => Promise<Contender> }>;
}

export interface ContestOptions {
  /** For the table: "from Redis". */
  readonly title: string;
  readonly receiver: BenchReceiver;
  readonly workload: Workload;
  readonly warmup: number;
  readonly jobs: number;
  readonly rounds: number;
  readonly backendPid?: number;
  readonly rivals: readonly Rival[];
}

/** Lets all deliver the same jobs in turns, the order turned round each time, and prints what each needed. */
export async function contest(options: ContestOptions): Promise<void> {
  const { receiver, workload, warmup, jobs, rounds, rivals, backendPid, title } = options;
  console.log(
    `\n${title}, ${workload.title}: ${show(workload.deliveriesOf(jobs))} deliveries after a warm-up of ${show(workload.deliveriesOf(warmup))}, median of ${rounds}`,
  );
  const runs = new Map<Rival, DeliveryRun[]>(rivals.map((rival) => [rival, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const rival of round % 2 === 0 ? rivals : rivals.toReversed()) {
      const { start } = await rival.prepare(workload, warmup + jobs);
      const shared = { receiver, workload, warmup, jobs, start };
      runs
        .get(rival)
        ?.push(await watchDeliveries(backendPid === undefined ? shared : { ...shared, backendPid }));
    }
  }
  const bare = runs.get(rivals[0] as Rival) as DeliveryRun[];
  for (const rival of rivals) {
    const own = runs.get(rival) as DeliveryRun[];
    const { rate, coldRate, cpuUs, receiverUs, backendUs, peakMb } = medianRun(own);
    // Each ratio is that of one round: the machine is not the same in the next.
    const ratio = median(own.map((run, round) => run.cpuUs / (bare[round]?.cpuUs ?? Number.NaN)));
    console.log(
      `  ${rival.name.padEnd(22)} ${show(cpuUs, 1).padStart(6)} µs CPU a delivery, ${show(ratio, 2)} × the bare loop's` +
        `  ${show(rate).padStart(7)}/s (warm-up ${show(coldRate)})  ${show(peakMb).padStart(4)} MB` +
        `  receiver ${show(receiverUs, 1)} µs${backendUs === null ? "" : `, Redis ${show(backendUs, 1)} µs`}`,
    );
    if (rival.isHookline) {
      keepRow({
        what: `a delivery ${title}, ${workload.title}`,
        hookline: `${show(cpuUs, 1)} µs CPU, ${show(rate)}/s, ${show(peakMb)} MB`,
        beside: `bare \`fetch\` loop ${show(median(bare.map((run) => run.cpuUs)), 1)} µs, ${show(median(bare.map((run) => run.rate)))}/s`,
        ratio: `${show(ratio, 2)} × the CPU`,
      });
      continue;
    }
    const hookline = rivals.find(({ isHookline }) => isHookline);
    if (hookline === undefined || rival === rivals[0]) continue;
    const ours = runs.get(hookline) as DeliveryRun[];
    const against = median(own.map((run, round) => run.cpuUs / (ours[round]?.cpuUs ?? Number.NaN)));
    console.log(`  ${"".padEnd(22)} ${show(against, 2)} × hookline's CPU`);
    keepRow({
      what: `a delivery ${title}, ${rival.name} for comparison`,
      hookline: `${show(median(ours.map((run) => run.cpuUs)), 1)} µs CPU`,
      beside: `${rival.name} ${show(cpuUs, 1)} µs, ${show(rate)}/s, ${show(peakMb)} MB`,
      ratio: `1 / ${show(against, 1)} of the CPU`,
    });
  }
}
