import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readJsonLines } from "../../src/cli/json-lines.ts";
import { openFileSink, pipeSink } from "../../src/cli/sink.ts";
import { createLineWriter } from "../../src/cli/line-writer.ts";
import { seeded } from "../drivers/conformance-walk.ts";
import type { ModelAttribute } from "../support/sqs-model-message.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { createWorkspace, runCommand, type CommandResult } from "./command-io.ts";

let model: SqsModel;
let workspace: ReturnType<typeof createWorkspace>;
const keys = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
const before = Object.keys(keys).map((name) => [name, process.env[name]] as const);
beforeEach(() => {
  Object.assign(process.env, keys);
  model = createSqsModel();
  // Every receive of an empty queue waits a second: the tools look twice, the tests need not.
  model.faults.noWaiting = true;
  workspace = createWorkspace();
});
afterEach(async () => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  workspace[Symbol.dispose]();
  await model.stop();
});

const run = (args: readonly string[], stdin: string | Uint8Array = ""): Promise<CommandResult> =>
  runCommand("sqs", [...args, "--endpoint", model.endpoint], { cwd: workspace.cwd, stdin });
const fifo = { FifoQueue: "true", ContentBasedDeduplication: "true" };

interface Sent {
  readonly body: string;
  readonly attributes: Readonly<Record<string, ModelAttribute>>;
  readonly group: string | null;
}
function put(name: string, sent: readonly Sent[]): void {
  for (const [at, { body, attributes, group }] of sent.entries()) {
    const deduplicationId = name.endsWith(".fifo") ? `d${at}` : null;
    model.queues.get(name)?.send({ body, attributes, group, deduplicationId, delaySeconds: null });
  }
}
const stored = (name: string): Sent[] =>
  [...(model.queues.get(name)?.messages.values() ?? [])].map(({ body, attributes, group }) => ({
    body,
    attributes,
    group,
  }));
const plain = (bodies: readonly string[], group: string | null = null): Sent[] =>
  bodies.map((body) => ({ body, attributes: {}, group }));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `m${n}`);
const counts = (name: string) => model.queues.get(name)?.counts();

describe("a dump that is deleted and requeued is what was there", () => {
  // Whatever ends a line in some reader, and what JSON escapes.
  const odd = [
    "\u2028",
    "\u2029",
    "\r",
    "\u0085",
    "\t",
    "\n",
    "\r\n",
    '"',
    "\\",
    "\ufeff",
    "\u007f",
    "é",
    "😀",
    "\ufffd",
    "{}",
    " ",
  ];

  test.each(odd.map((text) => [JSON.stringify(text), text] as const))("with %s in it", async (_, text) => {
    model.create("a");
    const bodies = [text, `${text}x`, `x${text}`, `x${text}${text}y`];
    put("a", plain(bodies));
    expect((await run(["dump", "a", "out.jsonl", "--delete"])).code).toBe(0);
    expect(stored("a")).toEqual([]);
    expect((await run(["requeue", "a", "out.jsonl"])).stderr).toBe("4 sent to a, 0 failed\n");
    expect(
      stored("a")
        .map(({ body }) => body)
        .sort(),
    ).toEqual([...bodies].sort());
  });

  test.each([1, 2, 3])("random bodies, attributes and groups, seed %d", async (seed) => {
    const random = seeded(seed);
    const below = (count: number): number => Math.floor(random() * count);
    /** Any character that SQS takes: XML 1.0 without U+FFFE and U+FFFF. */
    const character = (): string => {
      if (random() < 0.4) return odd[below(odd.length)]!;
      const code = [9, 10, 13, 0x20 + below(0xd7e0), 0xe000 + below(0x1ffe), 0x10000 + below(0x100000)][
        below(6)
      ]!;
      return String.fromCodePoint(code);
    };
    const text = (most: number): string => Array.from({ length: 1 + below(most) }, character).join("");
    const attribute = (): ModelAttribute => {
      const label = random() < 0.5 ? "" : `.${["int", "png", "__proto__"][below(3)]!}`;
      if (random() < 0.4) {
        const bytes = Uint8Array.from({ length: 1 + below(40) }, () => below(256));
        return { DataType: `Binary${label}`, BinaryValue: Buffer.from(bytes).toString("base64") };
      }
      if (random() < 0.3) return { DataType: `Number${label}`, StringValue: `${below(1e9)}.50` };
      return { DataType: `String${label}`, StringValue: text(20) };
    };
    const name = (): string => ["k", "__proto__", "constructor", "hookline", "a.b-c_D"][below(5)]!;
    const isFifo = seed % 2 === 1;
    const queue = isFifo ? "a.fifo" : "a";
    model.create(queue, isFifo ? fifo : {});
    const sent: Sent[] = Array.from({ length: 80 }, () => ({
      body: text(300),
      attributes: Object.fromEntries(Array.from({ length: below(4) }, () => [name(), attribute()])),
      group: isFifo || random() < 0.5 ? `g${below(4)}` : null,
    }));
    put(queue, sent);
    expect(await run(["dump", queue, "out.jsonl", "--delete"])).toMatchObject({ code: 0 });
    expect(stored(queue)).toEqual([]);
    expect(await run(["requeue", queue, "out.jsonl"])).toMatchObject({ code: 0, stdout: "" });
    const sorted = (all: readonly Sent[]): string[] => all.map((one) => JSON.stringify(one)).sort();
    expect(sorted(stored(queue))).toEqual(sorted(sent));
    if (!isFifo) return;
    for (const group of ["g0", "g1", "g2", "g3"]) {
      const of = (all: readonly Sent[]): string[] =>
        all.filter((one) => one.group === group).map(({ body }) => body);
      expect(of(stored(queue))).toEqual(of(sent));
    }
  });

  test("lines of Windows, and a byte order mark before the first, are read; what is not UTF-8 is named", async () => {
    model.create("a");
    const good = '\ufeff{"Body":"1"}\r\n\r\n{"Body":"2"}\r\n';
    expect(await run(["requeue", "a", "-"], good)).toMatchObject({
      code: 0,
      stderr: "2 sent to a, 0 failed\n",
    });
    const broken = Buffer.concat([
      Buffer.from('{"Body":"'),
      Buffer.from([0xff]),
      Buffer.from('"}\n\u2028\n{"Body":"3"}'),
    ]);
    const { code, stdout, stderr } = await run(["requeue", "a", "-"], broken);
    expect([code, stdout]).toEqual([1, "\u2028\n"]);
    expect(stderr).toContain("line 1: not UTF-8");
    expect(stderr).toContain("line 2: ");
    expect(stored("a").map(({ body }) => body)).toEqual(["1", "2", "3"]);
  });

  test("a line is the same, however its bytes are cut", async () => {
    const bytes = Buffer.from('\ufeff{"a":"\u2028é"}\n\n \t\r\n{"b":"😀"}');
    for (let size = 1; size <= bytes.length; size += 1) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      expect(await Array.fromAsync(readJsonLines(chunks))).toEqual([
        { text: '{"a":"\u2028é"}', at: 1 },
        { text: '{"b":"😀"}', at: 4 },
      ]);
    }
  });
});

describe("what a command could not see", () => {
  test("dump of a FIFO queue: behind ten of a group SQS shows nothing", async () => {
    model.create("a.fifo", fifo);
    put("a.fifo", plain(numbers(25), "g"));
    const { code, stdout, stderr } = await run(["dump", "a.fifo"]);
    expect([code, stdout.trimEnd().split("\n").length]).toEqual([1, 10]);
    expect(stderr).toBe(
      "10 messages\nhookline: about 15 messages of a.fifo were not seen: SQS shows nothing more of a FIFO group while its first messages are held; with --delete it goes on\n",
    );
    // They are shown again, in order.
    expect(counts("a.fifo")).toEqual({ visible: 25, inFlight: 0, delayed: 0 });
    expect(await run(["dump", "a.fifo", "all.jsonl", "--delete"])).toMatchObject({
      code: 0,
      stderr: "25 messages, deleted from the queue\n",
    });
  });

  test("dump of a FIFO queue of which it saw everything, or as much as was asked for, says nothing", async () => {
    model.create("a.fifo", fifo);
    for (const group of ["g", "h"]) {
      for (const body of numbers(5)) {
        const message = {
          body,
          attributes: {},
          group,
          deduplicationId: `${group}${body}`,
          delaySeconds: null,
        };
        model.queues.get("a.fifo")?.send(message);
      }
    }
    expect(await run(["dump", "a.fifo"])).toMatchObject({ code: 0, stderr: "10 messages\n" });
    expect(await run(["dump", "a.fifo", "--number", "3"])).toMatchObject({ code: 0, stderr: "3 messages\n" });
  });

  for (const words of ["dump a", "dump a out.jsonl --delete", "mv a b"]) {
    test(`${words}: what others hold, and what is delayed`, async () => {
      model.create("b");
      const queue = model.create("a");
      put("a", plain(numbers(9)));
      queue.receive(3, 60_000);
      queue.send({ body: "later", attributes: {}, group: null, deduplicationId: null, delaySeconds: 60 });
      const { code, stderr } = await run(words.split(" "));
      expect(code).toBe(1);
      expect(stderr).toContain(
        "about 4 messages of a were not seen: 3 were in flight with other consumers; 1 were delayed",
      );
    });
  }

  test("redrive: dead letters that others hold; those of another queue are none of its business", async () => {
    const target = model.create("a-dead");
    for (const name of ["a", "foreign"]) {
      const policy = JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount: 1 });
      const queue = model.create(name, { RedrivePolicy: policy });
      put(name, plain(numbers(3)));
      queue.receive(10, 0);
      queue.receive(10, 0);
    }
    expect(await run(["redrive", "a"])).toMatchObject({ code: 0, stdout: "3 redriven from a-dead to a\n" });
    model.queues.get("a-dead")?.receive(2, 60_000);
    const { code, stderr } = await run(["redrive", "a"]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "about 2 messages of a-dead were not seen: 2 were in flight with other consumers",
    );
  });

  test("redrive that SQS refuses, or does not finish, says so", async () => {
    model.create("a");
    model.create("a-dead");
    put("a-dead", plain(numbers(4)));
    model.faults.failEntry = (action, entry) =>
      action === "SendMessageBatch" && entry["MessageBody"] === "m2" ? "InternalError" : null;
    const refused = await run(["redrive", "a"]);
    expect([refused.code, refused.stdout]).toEqual([1, "3 redriven from a-dead to a\n"]);
    expect(refused.stderr).toContain("1 could not be sent and stay where they are: ");
    expect(counts("a-dead")).toEqual({ visible: 1, inFlight: 0, delayed: 0 });
    model.faults.failEntry = (action) => (action === "DeleteMessageBatch" ? "InternalError" : null);
    const undeleted = await run(["redrive", "a"]);
    expect([undeleted.code, undeleted.stdout]).toEqual([1, "1 redriven from a-dead to a\n"]);
    expect(undeleted.stderr).toContain("1 were sent, but not deleted: they are in a-dead, too");
  });

  test("dump --delete that SQS does not finish says so", async () => {
    model.create("a");
    put("a", plain(numbers(12)));
    const [, second] = [...(model.queues.get("a")?.messages.values() ?? [])];
    model.faults.failEntry = (action, entry) =>
      action === "DeleteMessageBatch" && String(entry["ReceiptHandle"]).endsWith(second!.id)
        ? "InternalError"
        : null;
    const { code, stderr } = await run(["dump", "a", "out.jsonl", "--delete"]);
    expect(code).toBe(1);
    expect(stored("a").map(({ body }) => body)).toEqual(["m1"]);
    expect(stderr).toBe("12 messages\nhookline: SQS did not delete 1 of them: they are in a, too\n");
  });
});

test("a dump that takes longer than its messages are hidden writes none twice, ends, and says what it did not see", async () => {
  model.create("a");
  put("a", plain(numbers(60)));
  // Every receive takes minutes: what came first is visible again, and before the rest.
  const timer = setInterval(() => model.clock.advance(60_000), 1);
  model.faults.latencyMs = 20;
  try {
    const { code, stdout, stderr } = await run(["dump", "a"]);
    const ids = stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { MessageId: string }).MessageId);
    expect(new Set(ids).size).toBe(ids.length);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`about ${60 - ids.length} messages of a were not seen`),
    ]);
  } finally {
    clearInterval(timer);
  }
});

describe("sinks", () => {
  test("a pipe is written at its reader's pace: nothing is dropped", async () => {
    const taken: string[] = [];
    const stdout = createLineWriter(
      {
        write(chunk, done) {
          setImmediate(() => {
            taken.push(chunk);
            done();
          });
          return true;
        },
        on: () => undefined,
      },
      { maxPendingChars: 100 },
    );
    const sink = pipeSink({ stdout });
    const lines = numbers(50).map((line) => `${line.padEnd(60, "x")}\n`);
    for (const line of lines) await sink.write(line);
    expect(taken.join("")).toBe(lines.join(""));
  });

  test("output that cannot be written is an error", async () => {
    const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
    const stdout = createLineWriter({ write: (_, done) => (done(full), true), on: () => undefined });
    await expect(pipeSink({ stdout }).write("x\n")).rejects.toBe(full);
  });

  test("a file holds what was written, and one that is there is not touched", async () => {
    const path = join(workspace.cwd, "out.jsonl");
    const sink = await openFileSink(path);
    await sink.write("é\u2028\n");
    await sink.write("x\n");
    await sink.close();
    expect(readFileSync(path, "utf8")).toBe("é\u2028\nx\n");
    writeFileSync(path, "precious");
    await expect(openFileSink(path)).rejects.toThrow("exists already");
    expect(readFileSync(path, "utf8")).toBe("precious");
  });
});
