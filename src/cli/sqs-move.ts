import { systemClock } from "../clock.ts";
import type { Message, OutgoingMessage, QueueRef, SqsApi } from "../queue/drivers/sqs/api.ts";
import { isFifoName } from "../queue/drivers/sqs/address.ts";
import { createDeadLetters } from "../queue/drivers/sqs/dead/letters.ts";
import { describeQueue } from "../queue/drivers/sqs/queues.ts";
import { createOrderedSend } from "../queue/drivers/sqs/ordered-send.ts";
import { sendAll, sendError } from "../queue/drivers/sqs/send.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { countsOf, describeUnseen } from "./sqs-counts.ts";
import { address, deleteAll, parcelOf, receiveAll, showAgain, type IdRules } from "./sqs-transfer.ts";

/**
 * `mv FROM TO`: receives, sends, and deletes what was confirmed sent; the rest stays where it was.
 *
 * Without --number as many as are there when it starts: without a bound, what a consumer of TO sends back to FROM,
 * as dead letters are, would be moved round and round for ever. Exit code 1, and a sentence, when there was more than
 * it could see. From FIFO to FIFO a message that could not be sent keeps those behind it in its group: they stay where they
 * are, in order, and are shown again with it; other groups are moved.
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
    const before = await countsOf(api, from);
    const most = number ?? before.available;
    const { moved, seen } = await moveAll(api, from, to, most, rules, io);
    const unseen = number !== null && seen >= number ? null : describeUnseen(before, seen, false);
    if (unseen !== null) io.reportError(unseen);
    const code = moved === seen && unseen === null ? 0 : 1;
    const left = number === null ? (await countsOf(api, from)).available : 0;
    if (left > 0) io.reportError(`${from.name} has about ${left} that came since, or were not counted`);
    return code;
  });
};

async function moveAll(
  api: SqsApi,
  from: QueueRef,
  to: QueueRef,
  number: number,
  rules: IdRules,
  io: CommandIo,
): Promise<{ readonly moved: number; readonly seen: number }> {
  let seen = 0;
  let moved = 0;
  let doubled = 0;
  const left: Message[] = [];
  const behind = new Map<string, number>();
  // What comes from a standard queue has no order to keep.
  const send = isFifoName(from.name)
    ? createOrderedSend(api, to)
    : (messages: readonly OutgoingMessage[]) => sendAll(api, to, messages, isFifoName(to.name));
  try {
    for await (const messages of receiveAll(api, from, number)) {
      seen += messages.length;
      // Before anything is sent, so that a wrong call changes nothing.
      const outgoing = holdOnError(messages, left, () =>
        messages.map((one) => address(parcelOf(one), to, rules)),
      );
      const sent = await send(outgoing);
      const done = messages.filter((_, index) => sent[index]?.status === "ok");
      for (const [index, result] of sent.entries()) {
        if (result.status === "ok") continue;
        left.push(messages[index] as Message);
        if (result.status === "behind") {
          behind.set(result.group, (behind.get(result.group) ?? 0) + 1);
          continue;
        }
        io.reportError(`${messages[index]?.MessageId}: ${sendError(result).message}`);
      }
      const deleted = await deleteAll(api, from, done);
      moved += deleted;
      doubled += done.length - deleted;
    }
  } finally {
    // Only now: shown earlier they would be received again and again by this very loop.
    await showAgain(
      api,
      from,
      left.map(({ ReceiptHandle = "" }) => ReceiptHandle),
    );
    const kept = [...behind.values()].reduce((sum, count) => sum + count, 0);
    const end = kept === 0 ? "" : `, ${kept} behind them stay`;
    io.stdout.writeLine(`${moved} moved, ${left.length - kept} failed${end}`);
  }
  for (const [group, count] of behind) {
    io.reportError(
      `group ${group}: ${count} stay in ${from.name}, in order, behind one that could not be sent`,
    );
  }
  if (doubled > 0) {
    io.reportError(`${doubled} were sent, but not deleted from ${from.name}: they are in both queues`);
  }
  return { moved, seen };
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

/**
 * `redrive QUEUE`: its dead letters back to it, ids and bytes kept, with fresh deduplication ids.
 *
 * Exit code 1, and a sentence, when some could not be sent, deleted or seen.
 */
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
    const before = await countsOf(api, queue.dead);
    const max = number ?? Math.max(1, before.available);
    try {
      const { redriven, failed, why, undeleted, others } = await deadLetters.redrive({ max });
      io.stdout.writeLine(`${redriven} redriven from ${queue.dead.name} to ${queue.name}`);
      if (failed > 0) io.reportError(`${failed} could not be sent and stay where they are: ${why?.message}`);
      if (undeleted > 0) {
        io.reportError(`${undeleted} were sent, but not deleted: they are in ${queue.dead.name}, too`);
      }
      const isEnough = failed > 0 || (number !== null && redriven >= number);
      const unseen = isEnough ? null : describeUnseen(before, redriven + others, false);
      if (unseen !== null) io.reportError(unseen);
      return failed + undeleted === 0 && unseen === null ? 0 : 1;
    } finally {
      // What could not be sent back is somebody else's to look at now.
      await deadLetters.release();
    }
  });
};
