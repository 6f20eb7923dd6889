import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { confirm } from "../../src/cli/sqs-confirm.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { createWorkspace, runCommand, type CommandResult } from "./command-io.ts";

let model: SqsModel;
let workspace: ReturnType<typeof createWorkspace>;
// The credentials come from where AWS's tools find them.
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

const run = (args: readonly string[], stdin = ""): Promise<CommandResult> =>
  runCommand("sqs", [...args, "--endpoint", model.endpoint], {
    cwd: workspace.cwd,
    stdin,
  });
const fifo = { FifoQueue: "true", ContentBasedDeduplication: "true" };
const put = (name: string, bodies: readonly string[], group: string | null = null): void => {
  for (const body of bodies) {
    model.queues.get(name)?.send({
      body,
      attributes: { kind: { DataType: "String", StringValue: "test" } },
      group,
      deduplicationId: group === null ? null : body,
      delaySeconds: null,
    });
  }
};
const bodies = (name: string): string[] =>
  [...(model.queues.get(name)?.messages.values() ?? [])].map(({ body }) => body);
const visible = (name: string): number => model.queues.get(name)?.counts().visible ?? -1;
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `m${n}`);

describe("queues", () => {
  test("create makes the queue and its dead letter queue, with the attributes given", async () => {
    const { code, stdout } = await run(["create", "orders.fifo", "--attribute", "DelaySeconds=5"]);
    expect([code, [...model.queues.keys()].sort()]).toEqual([0, ["orders-dead.fifo", "orders.fifo"]]);
    expect(stdout).toContain("orders.fifo  http://");
    expect(model.queues.get("orders.fifo")?.attributes).toMatchObject({
      DelaySeconds: "5",
      FifoThroughputLimit: "perMessageGroupId",
    });
  });

  test("create that SQS refuses leaves nothing behind", async () => {
    await expect(run(["create", "orders", "--attribute", "DelaySeconds=901"])).rejects.toThrow(
      "DelaySeconds",
    );
    await expect(run(["create", "q".repeat(78)])).rejects.toThrow("more than the 80 characters");
    expect([...model.queues.keys()]).toEqual([]);
  });

  test("a RedrivePolicy may name the dead letter queue that is made with its queue", async () => {
    const deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:orders-dead";
    const policy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 200 });
    const created: string[] = [];
    const { stdout } = await run(["create", "orders", "--attribute", `RedrivePolicy=${policy}`]);
    for (const line of stdout.trim().split("\n")) created.push(line.split(" ")[0] ?? "");
    expect(created).toEqual(["orders-dead", "orders"]);
  });

  test("ls shows counts, of a prefix only where one is given, and again with --watch", async () => {
    for (const name of ["a-1", "a-2", "b"]) model.create(name);
    put("a-1", ["x", "y"]);
    const { stdout } = await run(["ls", "a-", "--watch", "--interval", "1", "--rounds", "2"]);
    expect(stdout.match(/^a-1 +2 +0 +0$/gm)).toHaveLength(2);
    expect(stdout).not.toContain("\nb");
    expect(JSON.parse((await run(["ls", "--json"])).stdout)).toMatchObject({
      queues: [{ queue: "a-1", available: 2, in_flight: 0, delayed: 0 }, { queue: "a-2" }, { queue: "b" }],
    });
  });

  test("stats shows every attribute", async () => {
    model.create("a");
    put("a", ["x"]);
    expect((await run(["stats", "a"])).stdout).toMatch(/ApproximateNumberOfMessages +1\n/);
  });

  test("a queue that is not there is named", async () => {
    await expect(run(["stats", "nothing"])).rejects.toThrow("queue nothing does not exist");
    await expect(run(["stats", "no queue"])).rejects.toThrow("is no queue");
  });

  test("purge and delete do nothing without a terminal or --yes", async () => {
    model.create("a");
    put("a", ["x"]);
    await expect(run(["purge", "a"])).rejects.toThrow("say --yes");
    await expect(run(["delete", "a"])).rejects.toThrow("about 1 messages are lost for good");
    expect(bodies("a")).toEqual(["x"]);
    expect((await run(["purge", "a", "--yes"])).code).toBe(0);
    expect(bodies("a")).toEqual([]);
    expect((await run(["delete", "a", "--yes"])).code).toBe(0);
    expect(model.queues.size).toBe(0);
  });

  test("at a terminal the queue's name must be typed", async () => {
    const typing = (text: string) => ({ isTerminal: true, ask: () => Promise.resolve(text) });
    expect([
      await confirm("purge a", "a", typing("y\n")),
      await confirm("purge a", "a", typing(" a\n")),
    ]).toEqual([false, true]);
  });
});

describe("mv", () => {
  test("what comes to the source meanwhile is left there, so that mv ends", async () => {
    for (const name of ["a", "b"]) model.create(name);
    put("a", numbers(25));
    // As a consumer of b that dead-letters whatever it gets.
    const returning = setInterval(() => put("a", ["again"]), 1);
    try {
      const { code, stdout, stderr } = await run(["mv", "a", "b"]);
      expect(code).toBe(0);
      expect(Number.parseInt(stdout, 10)).toBeGreaterThanOrEqual(25);
      expect(stderr).toContain("that came since");
    } finally {
      clearInterval(returning);
    }
  });

  test("moves bodies and attributes, and leaves nothing behind", async () => {
    model.create("a");
    model.create("b");
    put("a", numbers(25));
    const { code, stdout } = await run(["mv", "a", "b"]);
    expect([code, stdout]).toEqual([0, "25 moved, 0 failed\n"]);
    expect([bodies("a"), bodies("b").sort()]).toEqual([[], numbers(25).sort()]);
    expect([...(model.queues.get("b")?.messages.values() ?? [])][0]?.attributes).toEqual({
      kind: { DataType: "String", StringValue: "test" },
    });
  });

  test("--number moves so many", async () => {
    model.create("a");
    model.create("b");
    put("a", numbers(25));
    expect((await run(["mv", "a", "b", "--number", "12"])).stdout).toBe("12 moved, 0 failed\n");
    expect([bodies("a").length, bodies("b").length, visible("a")]).toEqual([13, 12, 13]);
  });

  test("what could not be sent stays, is shown again, and is counted", async () => {
    model.create("a");
    model.create("b");
    put("a", numbers(25));
    model.faults.failEntry = (action, entry) =>
      action === "SendMessageBatch" && ["m3", "m7"].includes(entry["MessageBody"] as string)
        ? "InvalidMessageContents"
        : null;
    const { code, stdout, stderr } = await run(["mv", "a", "b"]);
    expect([code, stdout]).toEqual([1, "23 moved, 2 failed\n"]);
    expect(stderr).toContain("InvalidMessageContents");
    expect([bodies("a").sort(), visible("a")]).toEqual([["m3", "m7"], 2]);
  });

  test("an outage in the middle loses nothing", async () => {
    model.create("a");
    model.create("b");
    put("a", numbers(40));
    let batches = 0;
    model.faults.failEntry = (action) => {
      if (action === "SendMessageBatch") batches += 1;
      if (batches > 20) model.faults.outage = true;
      return null;
    };
    await expect(run(["mv", "a", "b"])).rejects.toThrow("ServiceUnavailable");
    expect(new Set([...bodies("a"), ...bodies("b")])).toEqual(new Set(numbers(40)));
  });

  test("FIFO to FIFO keeps groups and order, with fresh ids where the target has seen the old ones", async () => {
    model.create("a.fifo", fifo);
    model.create("b.fifo", fifo);
    put("a.fifo", numbers(12), "g");
    // The target has seen these ids within its five minutes.
    put("b.fifo", numbers(12), "g");
    model.queues.get("b.fifo")?.purge();
    expect((await run(["mv", "a.fifo", "b.fifo"])).stdout).toBe("12 moved, 0 failed\n");
    expect(bodies("b.fifo")).toEqual(numbers(12));
    expect(
      [...(model.queues.get("b.fifo")?.messages.values() ?? [])].every(({ group }) => group === "g"),
    ).toBe(true);
  });

  test("--keep-ids keeps them", async () => {
    model.create("a.fifo", fifo);
    model.create("b.fifo", fifo);
    put("a.fifo", ["x"], "g");
    await run(["mv", "a.fifo", "b.fifo", "--keep-ids"]);
    expect([...(model.queues.get("b.fifo")?.messages.values() ?? [])][0]?.deduplicationId).toBe("x");
  });

  test("standard to FIFO needs a group, and says so before anything is sent", async () => {
    model.create("a");
    model.create("b.fifo", fifo);
    put("a", ["x", "y"]);
    await expect(run(["mv", "a", "b.fifo"])).rejects.toThrow("give one with --group");
    expect([bodies("a").length, visible("a"), bodies("b.fifo").length]).toEqual([2, 2, 0]);
    expect((await run(["mv", "a", "b.fifo", "--group", "all"])).code).toBe(0);
    expect(bodies("b.fifo").sort()).toEqual(["x", "y"]);
  });
});

describe("dump and requeue", () => {
  test("what is dumped and deleted comes back by requeue: bodies, attributes, groups, order", async () => {
    model.create("a.fifo", fifo);
    put("a.fifo", ["1", "é\n2", "3"], "g");
    const dumped = await run(["dump", "a.fifo", "out.jsonl", "--delete"]);
    expect([dumped.code, dumped.stderr, bodies("a.fifo")]).toEqual([
      0,
      "3 messages, deleted from the queue\n",
      [],
    ]);
    const requeued = await run(["requeue", "a.fifo", "out.jsonl"]);
    expect([requeued.code, requeued.stderr]).toEqual([0, "3 sent to a.fifo, 0 failed\n"]);
    const stored = [...(model.queues.get("a.fifo")?.messages.values() ?? [])];
    expect(stored.map(({ body, group }) => [body, group])).toEqual([
      ["1", "g"],
      ["é\n2", "g"],
      ["3", "g"],
    ]);
    expect(stored[0]?.attributes).toEqual({ kind: { DataType: "String", StringValue: "test" } });
  });

  test("a dump without --delete leaves the messages visible, and goes to stdout without a file", async () => {
    model.create("a");
    put("a", numbers(15));
    const { stdout } = await run(["dump", "a"]);
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { Body: string }).Body).sort()).toEqual(
      numbers(15).sort(),
    );
    expect(visible("a")).toBe(15);
  });

  test("an existing file is not overwritten, and nothing is received", async () => {
    model.create("a");
    put("a", ["x"]);
    workspace.write("out.jsonl", "precious");
    await expect(run(["dump", "a", "out.jsonl", "--delete"])).rejects.toThrow("exists already");
    expect([readFileSync(join(workspace.cwd, "out.jsonl"), "utf8"), bodies("a")]).toEqual([
      "precious",
      ["x"],
    ]);
    await expect(run(["dump", "a", "--delete"])).rejects.toThrow("give a FILE");
    expect(existsSync(join(workspace.cwd, "-"))).toBe(false);
  });

  test("requeue takes snake case and standard input, and hands back the lines it could not send", async () => {
    model.create("a");
    const good = '{"body":"1","message_attributes":{"k":{"data_type":"String","string_value":"v"}}}';
    const { code, stdout, stderr } = await run(["requeue", "a", "-"], `${good}\nno json\n{"x":1}\n`);
    expect([code, stdout]).toEqual([1, 'no json\n{"x":1}\n']);
    expect(stderr).toContain("line 3: there is no Body");
    expect(bodies("a")).toEqual(["1"]);
    expect([...(model.queues.get("a")?.messages.values() ?? [])][0]?.attributes).toEqual({
      k: { DataType: "String", StringValue: "v" },
    });
  });

  test("1,000 lines are sent in batches of ten", async () => {
    model.create("a");
    const lines = numbers(1_000).map((Body) => JSON.stringify({ Body }));
    expect((await run(["requeue", "a", "-"], lines.join("\n"))).code).toBe(0);
    expect([bodies("a").length, model.requests.get("SendMessageBatch")]).toEqual([1_000, 100]);
  });
});

test("redrive brings dead letters back to their queue, with fresh ids", async () => {
  await run(["create", "a.fifo"]);
  put("a.fifo", ["x"], "g");
  model.queues.get("a.fifo")?.purge();
  put("a-dead.fifo", ["x"], "g");
  expect((await run(["redrive", "a.fifo"])).stdout).toBe("1 redriven from a-dead.fifo to a.fifo\n");
  expect([bodies("a-dead.fifo"), bodies("a.fifo")]).toEqual([[], ["x"]]);
});

test("without a subcommand they are listed, and an unknown one is refused with a suggestion", async () => {
  await expect(runCommand("sqs", [])).rejects.toThrow("ls, stats, create, dump, requeue, mv, redrive");
  await expect(runCommand("sqs", ["purg"])).rejects.toThrow('did you mean "purge"');
});
