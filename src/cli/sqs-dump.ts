import { resolve } from "node:path";
import type { Message } from "../queue/drivers/sqs/api.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import { openFileSink, pipeSink } from "./sink.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { countsOf, describeUnseen } from "./sqs-counts.ts";
import { deleteAll, receiveAll, showAgain } from "./sqs-transfer.ts";

/**
 * `dump QUEUE [FILE]`: messages as JSON Lines. They stay in the queue unless `--delete` is given; then each
 * batch is deleted once its lines are on the disk. A file that exists is never overwritten.
 *
 * Exit code 1, and a sentence, when there was more than it could see, or SQS did not delete what was written.
 */
export const dump: RunCommand = (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...connectionFlags, "number"],
    switches: ["delete"],
    positionals: ["QUEUE", "FILE"],
    required: 1,
  });
  const number = values.number === undefined ? Infinity : parseCount("--number", values.number, 1);
  const deletes = switches.has("delete");
  const [name = "", file = "-"] = positionals;
  if (deletes && file === "-") {
    throw new UsageError("dump --delete: give a FILE; what is written to a pipe may be lost");
  }
  return withConnection(values, io, async ({ api, find }) => {
    const queue = await find(name);
    const before = await countsOf(api, queue);
    const sink = file === "-" ? pipeSink(io) : await openFileSink(resolve(io.cwd, file));
    /** Handles of what is held, the last one of each message. */
    const held = new Map<string, string>();
    let written = 0;
    let undeleted = 0;
    try {
      for await (const messages of receiveAll(api, queue, number, held)) {
        await sink.write(messages.map((message) => `${lineOf(queue.name, message)}\n`).join(""));
        written += messages.length;
        if (deletes) undeleted += messages.length - (await deleteAll(api, queue, messages));
      }
    } finally {
      if (!deletes) await showAgain(api, queue, [...held.values()]);
      await sink.close();
    }
    const isDeleted = deletes && undeleted === 0;
    io.stderr.writeLine(`${written} messages${isDeleted ? ", deleted from the queue" : ""}`);
    if (undeleted > 0)
      io.reportError(`SQS did not delete ${undeleted} of them: they are in ${queue.name}, too`);
    const unseen = written >= number ? null : describeUnseen(before, written, !deletes);
    if (unseen !== null) io.reportError(unseen);
    return undeleted === 0 && unseen === null ? 0 : 1;
  });
};

/** One message, in the names that AWS's own tools use. */
function lineOf(queue: string, message: Message): string {
  const { MessageId, Body, Attributes, MessageAttributes } = message;
  return JSON.stringify({ Queue: queue, MessageId, Body, Attributes, MessageAttributes });
}
