import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { Message } from "../queue/drivers/sqs/api.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { deleteAll, receiveAll, showAgain } from "./sqs-transfer.ts";

/**
 * `dump QUEUE [FILE]`: messages as JSON lines. They stay in the queue unless `--delete` is given; then each
 * batch is deleted once its lines are on the disk. A file that exists is never overwritten.
 */
export const dump: RunCommand = (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...connectionFlags, "number"],
    switches: ["delete"],
    positionals: ["QUEUE", "FILE"],
    required: 1,
  });
  const number = values.number === undefined ? Infinity : parseCount("--number", values.number, 1);
  const [name = "", file = "-"] = positionals;
  if (switches.has("delete") && file === "-") {
    throw new UsageError("dump --delete: give a FILE; what is written to a pipe may be lost");
  }
  return withConnection(values, io, async ({ api, find }) => {
    const queue = await find(name);
    const sink = await openSink(file, io);
    const shown: Message[] = [];
    let written = 0;
    try {
      for await (const messages of receiveAll(api, queue, number)) {
        await sink.write(messages.map((message) => `${lineOf(queue.name, message)}\n`).join(""));
        written += messages.length;
        if (!switches.has("delete"))
          shown.push(...messages.map(({ ReceiptHandle = "" }) => ({ ReceiptHandle })));
        else if ((await deleteAll(api, queue, messages)) < messages.length) {
          io.reportError(`some of the messages were not deleted and are in ${queue.name}, too`);
        }
      }
    } finally {
      await sink.close();
      await showAgain(api, queue, shown);
    }
    io.stderr.writeLine(`${written} messages${switches.has("delete") ? ", deleted from the queue" : ""}`);
    return 0;
  });
};

/** One message, in the names that AWS's own tools use. */
function lineOf(queue: string, message: Message): string {
  const { MessageId, Body, Attributes, MessageAttributes } = message;
  return JSON.stringify({ Queue: queue, MessageId, Body, Attributes, MessageAttributes });
}

interface Sink {
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

async function openSink(file: string, io: CommandIo): Promise<Sink> {
  if (file === "-") {
    return {
      write(text) {
        io.stdout.writeData(text);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }
  const path = resolve(io.cwd, file);
  // "wx" fails where the file exists: an older dump may be all that is left of its messages.
  const handle = await open(path, "wx").catch((error: unknown) => {
    const { code } = error as { code?: string };
    throw new Error(
      code === "EEXIST" ? `${path} exists already; name another file` : `${path}: ${String(code)}`,
      {
        cause: error,
      },
    );
  });
  return {
    async write(text) {
      await handle.write(text);
      // What is deleted afterwards must survive a crash of this machine.
      await handle.sync();
    },
    close: () => handle.close(),
  };
}
