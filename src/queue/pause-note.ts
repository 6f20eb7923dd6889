import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";

/** Whether a queue is paused, as its driver in this process knows it: told once when it begins, and once when it ends. */
export interface PauseNote {
  /** What was done or seen; the same again changes nothing. */
  set(isPaused: boolean): void;
  /** The problem that stands while the queue is paused. */
  findings(): Finding[];
}

/** A queue that is not paused, as far as anybody knows. */
export function createPauseNote(queue: string, { clock, log }: { clock: Clock; log: Logger }): PauseNote {
  let since: number | null = null;
  return {
    set(isPaused) {
      if (isPaused === (since !== null)) return;
      since = isPaused ? clock.now() : null;
      if (isPaused) log.warn("the queue is paused: its jobs wait until it is resumed", { queue });
      else log.info("the queue is resumed", { queue });
    },
    findings() {
      if (since === null) return [];
      return [{ kind: "queue_paused", object: queue, since, detail: "paused: its jobs wait" }];
    },
  };
}
