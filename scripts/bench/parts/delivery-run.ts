import { type Contender, cpuMs, memoryMb } from "./contender.ts";
import { median } from "./figures.ts";
import type { BenchReceiver } from "./receiver-client.ts";
import type { Workload } from "./workload.ts";

/** What one contender needed for the deliveries after the warm-up. */
export interface DeliveryRun {
  /** Deliveries a second. */
  readonly rate: number;
  /** The same of the warm-up. */
  readonly coldRate: number;
  /** µs of CPU per delivery, all threads. */
  readonly cpuUs: number;
  /** µs of the receiver's CPU per delivery, and of the backend's where it has a process of its own. */
  readonly receiverUs: number;
  readonly backendUs: number | null;
  /** MB, the most there was. */
  readonly peakMb: number;
}

export interface DeliveryRunOptions {
  readonly receiver: BenchReceiver;
  readonly workload: Workload;
  /** Jobs of the warm-up, and after it. */
  readonly warmup: number;
  readonly jobs: number;
  /** The process of the backend. */
  readonly backendPid?: number;
  /** Lets the deliveries begin; the contender is measured from the end of the warm-up on. */
  readonly start: () => Promise<Contender>;
}

/** Watches one contender deliver all jobs, and ends it. */
export async function watchDeliveries(options: DeliveryRunOptions): Promise<DeliveryRun> {
  const { receiver, workload, warmup, jobs, backendPid } = options;
  const first = workload.deliveriesOf(warmup);
  const all = workload.deliveriesOf(warmup + jobs);
  await receiver.take();
  const startedAt = performance.now();
  const contender = await options.start();
  try {
    const state = () => ({
      own: cpuMs(contender.pid),
      receiver: receiver.cpuMs(),
      backend: backendPid === undefined ? 0 : cpuMs(backendPid),
      at: performance.now(),
    });
    await receiver.until(first);
    const before = state();
    const seen = await receiver.count();
    await receiver.until(all);
    const after = state();
    const measured = all - seen;
    const us = (ms: number): number => (ms * 1_000) / measured;
    return {
      rate: (measured * 1_000) / (after.at - before.at),
      coldRate: (seen * 1_000) / (before.at - startedAt),
      cpuUs: us(after.own - before.own),
      receiverUs: us(after.receiver - before.receiver),
      backendUs: backendPid === undefined ? null : us(after.backend - before.backend),
      peakMb: memoryMb(contender.pid, "VmHWM"),
    };
  } finally {
    await contender.stop();
  }
}

/** The median of each figure over several runs. */
export function medianRun(runs: readonly DeliveryRun[]): DeliveryRun {
  const of = (pick: (run: DeliveryRun) => number): number => median(runs.map(pick));
  return {
    rate: of(({ rate }) => rate),
    coldRate: of(({ coldRate }) => coldRate),
    cpuUs: of(({ cpuUs }) => cpuUs),
    receiverUs: of(({ receiverUs }) => receiverUs),
    backendUs: runs.some(({ backendUs }) => backendUs === null) ? null : of((run) => run.backendUs ?? 0),
    peakMb: of(({ peakMb }) => peakMb),
  };
}
