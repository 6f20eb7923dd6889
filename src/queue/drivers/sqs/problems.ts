import type { Finding } from "../../../problems/finding.ts";
import type { Ended } from "./ended.ts";
import type { SqsQueue } from "./queue.ts";

/** What stands wrong with a queue while SQS does not delete what has ended; nothing otherwise. */
export function unsettled(queue: SqsQueue, ended: Ended): Finding[] {
  const undeleted = ended.undeleted();
  if (undeleted === null) return [];
  const { count, since } = undeleted;
  const what = count === 1 ? "1 message whose job has" : `${count} messages whose jobs have`;
  return [
    {
      kind: "unsettled_deliveries",
      object: queue.logical[0] ?? queue.name,
      since,
      detail: `SQS does not delete ${what} ended; hookline asks again, and another process may deliver them once more`,
    },
  ];
}
