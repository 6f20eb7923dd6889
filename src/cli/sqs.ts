import { didYouMean } from "../suggest.ts";
import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import { dump } from "./sqs-dump.ts";
import { mv, redrive } from "./sqs-move.ts";
import { create, ls, purge, remove, stats } from "./sqs-queues.ts";
import { requeue } from "./sqs-requeue.ts";

const runs: Readonly<Record<string, RunCommand>> = {
  ls,
  stats,
  create,
  dump,
  requeue,
  mv,
  redrive,
  purge,
  delete: remove,
};

/**
 * `hookline sqs …`: work on SQS queues directly.
 *
 * A queue is a name, a URL or an ARN. Region, endpoint and credentials come from the flags, else from the
 * configuration's `queue.sqs`, else from where AWS's tools look.
 */
export const sqs: RunCommand = (args, io) => {
  const [word, ...rest] = args;
  if (word === undefined) {
    throw new UsageError(`sqs: a subcommand is missing, one of ${Object.keys(runs).join(", ")}`);
  }
  const run = Object.hasOwn(runs, word) ? runs[word] : undefined;
  if (run !== undefined) return run(rest, io);
  throw new UsageError(`sqs: no subcommand "${word}"${didYouMean(word, Object.keys(runs))}`);
};
