import { systemClock } from "../clock.ts";
import type { Message, QueueRef, SqsApi } from "../queue/drivers/sqs/api.ts";
import { isFifoName } from "../queue/drivers/sqs/address.ts";
import { createDeadLetters } from "../queue/drivers/sqs/dead-letters.ts";
import { describeQueue } from "../queue/drivers/sqs/queues.ts";
import { sendAll, sendError } from "../queue/drivers/sqs/send.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { address, deleteAll, parcelOf, receiveAll, showAgain, type IdRules } from "./sqs-transfer.ts";

/**
 * `mv FROM TO`: receives, sends, and deletes what was confirmed sent; the rest stays where it was.
 *
 * Without --number as many as are there when it starts. In a FIFO source a message that could not be sent keeps
 * those behind it: they are shown again with it.
 */
export const mv: RunCommand = (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...connectionFlags, "number", "group"],
    switches: ["keep-ids"],
    positionals: ["FROM", "TO"],
    required: 2,
  });
  const number = values.number === undefined ? null : parseCount("--number", values.number, 1);
  const rules = { keepIds: switches.has("keep-ids"), group: values.group ?? null };
  return withConnection(values, io, async ({ api, find }) => {
    const [from, to] = await Promise.all([find(positionals[0] ?? ""), find(positionals[1] ?? "")]);
    if (from.url === to.url) throw new UsageError("mv: FROM and TO are the same queue");
    const most = number ?? (await availableNow(api, from));
    const code = await moveAll(api, from, to, most, rules, io);
    const left = number === null ? await availableNow(api, from) : 0;
    if (left > 0) io.reportError(`${from.name} has about ${left} that came since, or were not counted`);
    return code;
  });
};

/**
 * As many as are there now. Without a bound, what a consumer of TO sends back to FROM, as dead letters are,
 * would be moved round and round for ever.
 */
async function availableNow(api: SqsApi, queue: QueueRef): Promise<number> {
  return Number((await api.attributes(queue))["ApproximateNumberOfMessages"] ?? 0);
}

async function moveAll(
  api: SqsApi,
  from: QueueRef,
  to: QueueRef,
  number: number,
  rules: IdRules,
  io: CommandIo,
): Promise<number> {
  let moved = 0;
  let doubled = 0;
  const left: Message[] = [];
  try {
    for await (const messages of receiveAll(api, from, number)) {
      // Before anything is sent, so that a wrong call changes nothing.
      const outgoing = holdOnError(messages, left, () =>
        messages.map((one) => address(parcelOf(one), to, rules)),
      );
      const sent = await sendAll(api, to, outgoing, isFifoName(to.name));
      const done = messages.filter((_, index) => sent[index]?.status === "ok");
      for (const [index, result] of sent.entries()) {
        if (result.status === "ok") continue;
        left.push(messages[index] as Message);
        io.reportError(`${messages[index]?.MessageId}: ${sendError(result).message}`);
      }
      const deleted = await deleteAll(api, from, done);
      moved += deleted;
      doubled += done.length - deleted;
    }
  } finally {
    // Only now: shown earlier they would be received again and again by this very loop.
    await showAgain(api, from, left);
    io.stdout.writeLine(`${moved} moved, ${left.length} failed`);
  }
  if (doubled > 0) {
    io.reportError(`${doubled} were sent, but not deleted from ${from.name}: they are in both queues`);
  }
  return left.length + doubled === 0 ? 0 : 1;
}

/** Puts the messages back into the finally's hands when `run` throws. */
function holdOnError<T>(messages: readonly Message[], left: Message[], run: () => T): T {
  try {
    return run();
  } catch (error) {
    left.push(...messages);
    throw error;
  }
}

/** `redrive QUEUE`: its dead letters back to it, ids and bytes kept, with fresh deduplication ids. */
export const redrive: RunCommand = (args, io) => {
  const { values, positionals } = parseArguments(args, {
    values: [...connectionFlags, "number"],
    positionals: ["QUEUE"],
    required: 1,
  });
  const number = values.number === undefined ? null : parseCount("--number", values.number, 1);
  return withConnection(values, io, async ({ api, find }) => {
    const queue = await describeQueue(api, await find(positionals[0] ?? ""));
    const deadLetters = createDeadLetters(queue, api, systemClock);
    const max = number ?? Math.max(1, await availableNow(api, queue.dead));
    try {
      const redriven = await deadLetters.redrive({ max });
      io.stdout.writeLine(`${redriven} redriven from ${queue.dead.name} to ${queue.name}`);
      return 0;
    } finally {
      // What could not be sent back is somebody else's to look at now.
      await deadLetters.release();
    }
  });
};
