import { isFifoName } from "../queue/drivers/sqs/address.ts";
import type { QueueRef, SqsApi } from "../queue/drivers/sqs/api.ts";
import { SqsCallError } from "../queue/drivers/sqs/errors.ts";

/** What SQS counts of a queue, approximately: its figures may be a minute old. */
export interface Counts {
  readonly queue: string;
  readonly available: number;
  readonly in_flight: number;
  readonly delayed: number;
}

/** Asks for them. A queue that was deleted meanwhile has nothing. */
export async function countsOf(api: SqsApi, queue: QueueRef): Promise<Counts> {
  try {
    const attributes = await api.attributes(queue);
    const count = (name: string): number => Number(attributes[`ApproximateNumberOfMessages${name}`] ?? 0);
    return {
      queue: queue.name,
      available: count(""),
      in_flight: count("NotVisible"),
      delayed: count("Delayed"),
    };
  } catch (error) {
    if (error instanceof SqsCallError && error.kind === "no_queue") {
      return { queue: queue.name, available: 0, in_flight: 0, delayed: 0 };
    }
    throw error;
  }
}

export const totalOf = ({ available, in_flight, delayed }: Counts): number => available + in_flight + delayed;

/**
 * One sentence about what a command did not see of a queue; null when it saw as much as was there at its start.
 *
 * SQS shows messages by handing them out, so that a command cannot see what another consumer holds, what is delayed,
 * and of a FIFO group what is behind messages that are held. The sum of the counts is compared, because receiving
 * moves messages from one count to the other, and the counts lag behind.
 *
 * @param seen   Messages that the command did see.
 * @param isHeld Whether it holds them until its end.
 */
export function describeUnseen(before: Counts, seen: number, isHeld: boolean): string | null {
  const unseen = totalOf(before) - seen;
  if (unseen <= 0) return null;
  const reasons: string[] = [];
  if (before.in_flight > 0) reasons.push(`${before.in_flight} were in flight with other consumers`);
  if (before.delayed > 0) reasons.push(`${before.delayed} were delayed`);
  if (unseen > before.in_flight + before.delayed) {
    reasons.push(
      isHeld && isFifoName(before.queue)
        ? "SQS shows nothing more of a FIFO group while its first messages are held; with --delete it goes on"
        : "others took them meanwhile, or SQS counted them late",
    );
  }
  return `about ${unseen} messages of ${before.queue} were not seen: ${reasons.join("; ")}`;
}
