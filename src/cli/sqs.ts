import { didYouMean } from "../suggest.ts";
import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import { dump } from "./sqs-dump.ts";
import { mv, redrive } from "./sqs-move.ts";
import { create, ls, purge, remove, stats } from "./sqs-queues.ts";
import { requeue } from "./sqs-requeue.ts";

interface Subcommand {
  readonly synopsis: string;
  readonly summary: string;
  readonly run: RunCommand;
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  ls: { synopsis: "[PREFIX] [--watch]", summary: "queues and their counts", run: ls },
  stats: { synopsis: "QUEUE", summary: "counts and settings of a queue", run: stats },
  create: {
    synopsis: "QUEUE [--attribute NAME=VALUE]...",
    summary: "create it and its dead letter queue",
    run: create,
  },
  dump: {
    synopsis: "QUEUE [FILE] [--number N] [--delete]",
    summary: "messages to a file, one JSON object a line",
    run: dump,
  },
  requeue: { synopsis: "QUEUE FILE|- [--keep-ids]", summary: "send what dump wrote", run: requeue },
  mv: { synopsis: "FROM TO [--number N] [--group ID]", summary: "move messages", run: mv },
  redrive: { synopsis: "QUEUE [--number N]", summary: "dead letters back to their queue", run: redrive },
  purge: { synopsis: "QUEUE [--yes]", summary: "delete every message", run: purge },
  delete: { synopsis: "QUEUE [--yes]", summary: "delete the queue itself", run: remove },
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
    io.stdout.write(overview());
    return Promise.resolve(2);
  }
  const found = Object.hasOwn(subcommands, word) ? subcommands[word] : undefined;
  if (found !== undefined) return found.run(rest, io);
  throw new UsageError(`sqs: no subcommand "${word}"${didYouMean(word, Object.keys(subcommands))}`);
};

function overview(): string {
  const rows = Object.entries(subcommands).map(
    ([name, { synopsis, summary }]) => `  ${`${name} ${synopsis}`.padEnd(46)} ${summary}\n`,
  );
  return `hookline sqs COMMAND [--endpoint URL] [--region REGION] [--config FILE]\n\n${rows.join("")}`;
}
