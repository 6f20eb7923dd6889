import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { MessageAttributeValue } from "../queue/drivers/sqs/api.ts";
import { isFifoName } from "../queue/drivers/sqs/address.ts";
import { shortHash } from "../queue/drivers/sqs/ids.ts";
import { sendAll, sendError } from "../queue/drivers/sqs/send.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { address, type Parcel } from "./sqs-transfer.ts";

/** Lines at hand at a time. */
const chunkLines = 100;

/**
 * `requeue QUEUE FILE`: sends every line that `dump` wrote, in order.
 *
 * The lines that could not be sent go to stdout as they stand, so that they can be tried again.
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
    const fail = (line: string, at: number, why: string): void => {
      failed += 1;
      io.stdout.writeData(`${line}\n`);
      io.reportError(`line ${at}: ${why}`);
    };
    for await (const chunk of chunks(file, io)) {
      const parcels = chunk.flatMap(({ line, at }) => {
        try {
          return [{ line, at, message: address(readLine(line, at), queue, rules) }];
        } catch (error) {
          fail(line, at, (error as Error).message);
          return [];
        }
      });
      const results = await sendAll(
        api,
        queue,
        parcels.map(({ message }) => message),
        isFifoName(queue.name),
      );
      for (const [index, { line, at }] of parcels.entries()) {
        const result = results[index];
        if (result?.status === "ok") sent += 1;
        else if (result !== undefined) fail(line, at, sendError(result).message);
      }
    }
    io.stderr.writeLine(`${sent} sent to ${queue.name}, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  });
};

/** The lines of the file, empty ones left out, a few at a time. */
async function* chunks(
  file: string,
  io: CommandIo,
): AsyncGenerator<readonly { readonly line: string; readonly at: number }[]> {
  const input =
    file === "-" ? Readable.from([await io.readStdin()]) : createReadStream(resolve(io.cwd, file));
  let chunk: { line: string; at: number }[] = [];
  let at = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    at += 1;
    if (line.trim() === "") continue;
    chunk.push({ line, at });
    if (chunk.length < chunkLines) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

type Line = Readonly<Record<string, unknown>>;

/** A dumped message: in the names of AWS's tools, or the snake case that Ruby's and Python's write. */
function readLine(text: string, at: number): Parcel {
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
  const attributes: Record<string, MessageAttributeValue> = {};
  for (const [name, value] of Object.entries(given)) {
    const { DataType, data_type, StringValue, string_value, BinaryValue, binary_value } = value as Record<
      string,
      string | undefined
    >;
    const text = StringValue ?? string_value;
    const bytes = BinaryValue ?? binary_value;
    attributes[name] = {
      DataType: DataType ?? data_type ?? "String",
      ...(text === undefined ? {} : { StringValue: text }),
      ...(bytes === undefined ? {} : { BinaryValue: Buffer.from(bytes, "base64").toString("base64") }),
    };
  }
  return attributes;
}
