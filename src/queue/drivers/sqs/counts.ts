import { HooklineError } from "../../../errors.ts";
import type { QueueRef, SqsApi } from "./api.ts";
import { unavailable } from "./errors.ts";

/** SQS's own, approximate counts of a queue. */
export interface Counts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** Asks for them. @throws DriverUnavailableError */
export async function readCounts(api: SqsApi, queue: QueueRef): Promise<Counts> {
  try {
    const attributes = await api.attributes(queue, [
      "ApproximateNumberOfMessages",
      "ApproximateNumberOfMessagesNotVisible",
      "ApproximateNumberOfMessagesDelayed",
    ]);
    return {
      visible: Number(attributes["ApproximateNumberOfMessages"] ?? 0),
      inFlight: Number(attributes["ApproximateNumberOfMessagesNotVisible"] ?? 0),
      delayed: Number(attributes["ApproximateNumberOfMessagesDelayed"] ?? 0),
    };
  } catch (error) {
    throw error instanceof HooklineError ? unavailable(error) : error;
  }
}
