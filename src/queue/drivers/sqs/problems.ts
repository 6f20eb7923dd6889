import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { Ended } from "./consumer/ended.ts";

/**
 * What stands wrong with a queue while SQS does not delete what has ended, in the queue or among its dead letters;
 * nothing otherwise.
 */
export function unsettled(queue: string, live: Ended, dead: Ended): Finding[] {
  const [jobs, letters] = [live.undeleted(), dead.undeleted()];
  const details: string[] = [];
  if (jobs !== null) {
    details.push(
      `SQS does not delete ${count(jobs.count, "message")} whose job has ended; hookline asks again, and another process may deliver it once more`,
    );
  }
  if (letters !== null) {
    details.push(
      `SQS does not delete ${count(letters.count, "dead letter")} sent back to the queue; the next redrive or listing here asks again, and another process may redrive it once more`,
    );
  }
  if (details.length === 0) return [];
  const since = Math.min(jobs?.since ?? Infinity, letters?.since ?? Infinity);
  return [{ kind: "unsettled_deliveries", object: queue, since, detail: details.join(". ") }];
}

/** What `open` found that works, but not as it should; it is logged here. */
export function settingsFindings(
  notes: readonly string[],
  warnings: readonly { readonly queue: string; readonly message: string }[],
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Finding[] {
  const found = [...notes.map((message) => ({ queue: "", message })), ...warnings];
  for (const { queue, message } of found) log.warn(`sqs: ${message}`, queue === "" ? {} : { queue });
  const since = clock.now();
  return found.map(({ queue, message }) => ({
    kind: "backend_settings",
    object: queue,
    since,
    detail: message,
    openDetail: message,
  }));
}

function count(number: number, noun: string): string {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}
