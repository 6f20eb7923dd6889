import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import type { MessageAttributeValue } from "../queue/drivers/sqs/api.ts";
import { shortHash } from "../queue/drivers/sqs/ids.ts";
import { createOrderedSend } from "../queue/drivers/sqs/ordered-send.ts";
import { sendError } from "../queue/drivers/sqs/send.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { readJsonLines, type JsonLine } from "./json-lines.ts";
import { pipeSink } from "./sink.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { address, type Parcel } from "./sqs-transfer.ts";

/** Lines at hand at a time. */
const chunkLines = 100;

/**
 * `requeue QUEUE FILE`: sends every line that `dump` wrote, in order.
 *
 * The lines that could not be sent go to stdout as they stand, so that they can be tried again; those that are
 * not UTF-8 are named only. On FIFO the lines of a group behind one that could not be sent are among them, so that
 * trying again keeps the order.
 */
export const requeue: RunCommand = (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...connectionFlags, "group"],
    switches: ["keep-ids"],
    positionals: ["QUEUE", "FILE"],
    required: 2,
  });
  const [name = "", file = ""] = positionals;
  const rules = { keepIds: switches.has("keep-ids"), group: values.group ?? null };
  return withConnection(values, io, async ({ api, find }) => {
    const queue = await find(name);
    let sent = 0;
    let failed = 0;
    const failedLines = pipeSink(io);
    const send = createOrderedSend(api, queue);
    for await (const chunk of chunks(file, io)) {
      const unsent: string[] = [];
      const fail = ({ text, at }: JsonLine, why: string): void => {
        failed += 1;
        if (text !== null) unsent.push(`${text}\n`);
        io.reportError(`line ${at}: ${why}`);
      };
      const parcels = chunk.flatMap((line) => {
        try {
          return [{ line, message: address(readLine(line), queue, rules) }];
        } catch (error) {
          fail(line, (error as Error).message);
          return [];
        }
      });
      const results = await send(parcels.map(({ message }) => message));
      for (const [index, { line }] of parcels.entries()) {
        const result = results[index];
        if (result?.status === "ok") sent += 1;
        else if (result?.status === "behind") {
          fail(line, `not sent, because a line of group ${result.group} before it could not be`);
        } else if (result !== undefined) fail(line, sendError(result).message);
      }
      if (unsent.length > 0) await failedLines.write(unsent.join(""));
    }
    io.stderr.writeLine(`${sent} sent to ${queue.name}, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  });
};

/** The lines of the file, a few at a time. */
async function* chunks(file: string, io: CommandIo): AsyncGenerator<readonly JsonLine[]> {
  const bytes: AsyncIterable<Uint8Array> | Uint8Array[] =
    file === "-" ? [await io.readStdin()] : createReadStream(resolve(io.cwd, file));
  let chunk: JsonLine[] = [];
  for await (const line of readJsonLines(bytes)) {
    chunk.push(line);
    if (chunk.length < chunkLines) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

type Line = Readonly<Record<string, unknown>>;

/** A dumped message: in the names of AWS's tools, or the snake case that Ruby's and Python's write. */
function readLine({ text, at }: JsonLine): Parcel {
  if (text === null) throw new Error("not UTF-8");
  const value = JSON.parse(text) as unknown;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("expected a JSON object");
  const line = value as Line;
  const system = objectIn(line, "Attributes", "attributes");
  const textOf = (...names: readonly string[]): string | null =>
    [line, system]
      .flatMap((from) => names.map((name) => from[name]))
      .find((found): found is string => typeof found === "string") ?? null;
  const body = textOf("Body", "body", "MessageBody", "message_body");
  if (body === null) throw new Error("there is no Body");
  return {
    // Without one, the place in the file tells two equal bodies apart.
    id: textOf("MessageId", "message_id") ?? shortHash(`${at}\n${text}`),
    body,
    attributes: attributesOf(objectIn(line, "MessageAttributes", "message_attributes")),
    group: textOf("MessageGroupId", "message_group_id"),
    deduplicationId: textOf("MessageDeduplicationId", "message_deduplication_id"),
  };
}

function objectIn(line: Line, ...names: readonly string[]): Line {
  const found = names.map((name) => line[name]).find((value) => typeof value === "object" && value !== null);
  return (found ?? {}) as Line;
}

function attributesOf(given: Line): Record<string, MessageAttributeValue> {
  // From entries: an attribute may be called `__proto__`, and an assignment would lose it.
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const { DataType, data_type, StringValue, string_value, BinaryValue, binary_value } = value as Record<
        string,
        string | undefined
      >;
      const text = StringValue ?? string_value;
      const bytes = BinaryValue ?? binary_value;
      return [
        name,
        {
          DataType: DataType ?? data_type ?? "String",
          ...(text === undefined ? {} : { StringValue: text }),
          ...(bytes === undefined ? {} : { BinaryValue: Buffer.from(bytes, "base64").toString("base64") }),
        },
      ];
    }),
  );
}
