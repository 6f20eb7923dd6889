import { sleep } from "../wait.ts";
import { deadName, isFifoName, isQueueName } from "../queue/drivers/sqs/address.ts";
import type { QueueRef, SqsApi } from "../queue/drivers/sqs/api.ts";
import { creationAttributes } from "../queue/drivers/sqs/queues.ts";
import { showInLine } from "../terminal.ts";
import { parseArguments, parseCount } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { confirm } from "./sqs-confirm.ts";
import { connectionFlags, withConnection } from "./sqs-connection.ts";
import { countsOf, totalOf, type Counts } from "./sqs-counts.ts";

/** `ls [PREFIX]`: every queue with its counts; `--watch` again every `--interval` seconds. */
export const ls: RunCommand = (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...connectionFlags, "interval", "rounds"],
    switches: ["watch", "json"],
    positionals: ["PREFIX"],
  });
  const intervalMs =
    values.interval === undefined ? 2_000 : parseCount("--interval", values.interval, 1) * 1_000;
  const rounds = values.rounds === undefined ? Infinity : parseCount("--rounds", values.rounds, 1);
  return withConnection(values, io, async ({ api }) => {
    for (let round = 1; ; round += 1) {
      const all: Counts[] = [];
      for await (const queue of api.list(positionals[0] ?? "")) all.push(await countsOf(api, queue));
      if (switches.has("json")) io.stdout.writeLine(JSON.stringify({ queues: all }));
      else {
        if (switches.has("watch")) io.stdout.clearScreen();
        io.stdout.write(countsTable(all));
      }
      if (!switches.has("watch") || round >= rounds) return 0;
      await sleep(intervalMs);
    }
  });
};

/** `stats QUEUE`: counts and attributes. */
export const stats: RunCommand = (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: connectionFlags,
    switches: ["json"],
    positionals: ["QUEUE"],
    required: 1,
  });
  return withConnection(values, io, async ({ api, find }) => {
    const queue = await find(positionals[0] ?? "");
    const attributes = await api.attributes(queue);
    if (switches.has("json")) {
      io.stdout.writeLine(JSON.stringify({ queue: queue.name, url: queue.url, attributes }));
      return 0;
    }
    const rows = Object.entries(attributes).sort(([a], [b]) => a.localeCompare(b));
    const width = Math.max(...rows.map(([name]) => name.length));
    io.stdout.writeLine(`${queue.name}  ${queue.url}`);
    for (const [name, value] of rows) io.stdout.writeLine(`  ${name.padEnd(width)}  ${value}`);
    return 0;
  });
};

/** `create QUEUE`: as hookline creates queues, with its dead letter queue; `--attribute` changes either one's. */
export const create: RunCommand = (args, io) => {
  const { given, rest } = takeAttributes(args);
  const { values, switches, positionals } = parseArguments(rest, {
    values: [...connectionFlags, "visibility-timeout"],
    switches: ["no-dead-letter-queue"],
    positionals: ["QUEUE"],
    required: 1,
  });
  const [name = ""] = positionals;
  if (!isQueueName(name)) {
    throw new UsageError(
      `"${name}" is no queue name: up to 80 letters, digits, - and _, and .fifo at the end for FIFO`,
    );
  }
  const timeout = values["visibility-timeout"];
  const visibilityTimeoutSeconds =
    timeout === undefined ? 30 : parseCount("--visibility-timeout", timeout, 0);
  const hasDead = !switches.has("no-dead-letter-queue");
  if (hasDead && !isQueueName(deadName(name))) {
    throw new UsageError(
      `"${deadName(name)}", its dead letter queue, would have more than the 80 characters of a queue name: choose a shorter one, or say --no-dead-letter-queue`,
    );
  }
  // The queue first: attributes that SQS refuses must leave nothing behind. But a RedrivePolicy's target must exist.
  const pair = "RedrivePolicy" in given ? [deadName(name), name] : [name, deadName(name)];
  const names = hasDead ? pair : [name];
  return withConnection(values, io, async ({ api }) => {
    for (const each of names) {
      const attributes = {
        ...creationAttributes(each, { visibilityTimeoutSeconds }),
        ...(each === name ? given : {}),
      };
      const url = await api.create(each, attributes);
      io.stdout.writeLine(`${each}  ${url}${isFifoName(each) ? "  (FIFO, high throughput)" : ""}`);
    }
    return 0;
  });
};

/** `purge QUEUE`: deletes every message. */
export const purge: RunCommand = (args, io) =>
  destroy(args, io, "purge", async (api, queue) => {
    await api.purge(queue);
    // API_PurgeQueue: the deletion takes up to 60 seconds.
    io.stdout.writeLine(`${queue.name}: purged; SQS takes up to a minute for it`);
  });

/** `delete QUEUE`: deletes the queue itself. */
export const remove: RunCommand = (args, io) =>
  destroy(args, io, "delete", async (api, queue) => {
    await api.deleteQueue(queue);
    io.stdout.writeLine(`${queue.name}: deleted`);
  });

async function destroy(
  args: readonly string[],
  io: CommandIo,
  verb: string,
  run: (api: SqsApi, queue: QueueRef) => Promise<void>,
): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: connectionFlags,
    switches: ["yes"],
    positionals: ["QUEUE"],
    required: 1,
  });
  return withConnection(values, io, async ({ api, find }) => {
    const queue = await find(positionals[0] ?? "");
    const counts = await countsOf(api, queue);
    const what = `${verb} ${queue.name}: about ${totalOf(counts)} messages are lost for good`;
    if (!switches.has("yes") && !(await confirm(what, queue.name))) {
      io.stderr.writeLine("nothing was done");
      return 1;
    }
    await run(api, queue);
    return 0;
  });
}

/** Takes `--attribute NAME=VALUE` out of the arguments, repeated ones too. */
function takeAttributes(args: readonly string[]): { given: Record<string, string>; rest: string[] } {
  const given: Record<string, string> = {};
  const rest: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? "";
    if (!/^(--attribute|-a)(=|$)/.test(argument)) {
      rest.push(argument);
      continue;
    }
    const pair = argument.includes("=") ? argument.slice(argument.indexOf("=") + 1) : (args[(at += 1)] ?? "");
    const split = pair.indexOf("=");
    if (split < 1) throw new UsageError(`--attribute: expected NAME=VALUE, got "${pair}"`);
    given[pair.slice(0, split)] = pair.slice(split + 1);
  }
  return { given, rest };
}

function countsTable(all: readonly Counts[]): string {
  const width = Math.max(5, ...all.map(({ queue }) => queue.length));
  const row = (queue: string, ...cells: readonly (string | number)[]): string =>
    `${showInLine(queue).padEnd(width)}${cells.map((cell) => String(cell).padStart(11)).join("")}\n`;
  const lines = all.map((one) => row(one.queue, one.available, one.in_flight, one.delayed));
  return `${row("QUEUE", "AVAILABLE", "IN FLIGHT", "DELAYED")}${lines.join("")}`;
}
