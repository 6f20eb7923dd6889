import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";

/** `hookline sqs …`: work on SQS queues directly. */
export const sqs: RunCommand = () => {
  throw new UsageError("sqs: this build has no SQS commands");
};
