import type { Random } from "./random.ts";

/** What is done to a part of the world, for a while. */
export interface FaultKind {
  /** As in `process: SIGKILL`; the part before the colon is the group of the report. */
  readonly name: string;
  /** What it can be done to. Faults on one target come one after the other. */
  readonly targets: readonly string[];
  /** How long it stands, at least and at most. */
  readonly forMs: readonly [least: number, most: number];
  /**
   * Whose deliveries may come twice because of it: all of them, those of one receiver (the target's number), or none.
   * Contract §1.1: a lease that ended unsettled, or an answer that did not arrive in time.
   */
  readonly doubles: "all" | "receiver" | "none";
  /**
   * What it may end. "start": a process that starts while it stands may refuse to, as where the configuration cannot work.
   * "process": one that runs may end by itself (file-driver.md, "Errors").
   */
  readonly mayEnd?: "start" | "process";
  /** Begins, and gives what ends it. `target` is the index in `targets`. */
  begin(target: number, random: Random): Promise<() => Promise<void>>;
}

/** One line of the list that a seed and a number of faults give. */
export interface PlannedFault {
  readonly n: number;
  /** After the start of the weather. */
  readonly atMs: number;
  readonly kind: string;
  readonly target: number;
  readonly forMs: number;
  /** What `begin` draws from. */
  readonly seed: number;
}

/** A fault that has been. Times are epoch ms, with fractions. */
export interface PastFault {
  readonly planned: PlannedFault;
  readonly kind: FaultKind;
  readonly beganAt: number;
  readonly endedAt: number;
}
