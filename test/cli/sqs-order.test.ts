/** The commands that send to a FIFO queue keep each group's order, whatever SQS does not take. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { seeded } from "../drivers/conformance-walk.ts";
import { createSqsModel, type SqsModel } from "../support/sqs-model.ts";
import { createWorkspace, runCommand, type CommandResult } from "./command-io.ts";

let model: SqsModel;
let workspace: ReturnType<typeof createWorkspace>;
const keys = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
const before = Object.keys(keys).map((name) => [name, process.env[name]] as const);
beforeEach(() => {
  Object.assign(process.env, keys);
  model = createSqsModel();
  model.faults.noWaiting = true;
  workspace = createWorkspace();
  for (const name of ["a.fifo", "b.fifo"]) model.create(name, { FifoQueue: "true" });
});
afterEach(async () => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  workspace[Symbol.dispose]();
  await model.stop();
});

const run = (args: readonly string[]): Promise<CommandResult> =>
  runCommand("sqs", [...args, "--endpoint", model.endpoint], { cwd: workspace.cwd });

/** Messages `GROUP-0`, `GROUP-1`, … of each group, in turns. */
const messagesOf = (groups: readonly string[], each: number): { body: string; group: string }[] =>
  Array.from({ length: each }, (_, n) => groups.map((group) => ({ body: `${group}-${n}`, group }))).flat();

function put(name: string, groups: readonly string[], each: number): void {
  for (const { body, group } of messagesOf(groups, each)) {
    const message = { body, attributes: {}, group, deduplicationId: body, delaySeconds: null };
    model.queues.get(name)?.send(message);
  }
}

function bodies(name: string, group: string): string[] {
  const messages = [...(model.queues.get(name)?.messages.values() ?? [])];
  return messages.filter((message) => message.group === group).map(({ body }) => body);
}

const upTo = (group: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `${group}-${from + n}`);

const failing = (body: string, code: string): void => {
  model.faults.failEntry = (action, entry) =>
    action === "SendMessageBatch" && entry["MessageBody"] === body ? code : null;
};

describe("a message of a FIFO group that cannot be sent keeps those behind it, and others go on", () => {
  // Finding: what was behind it in its batch, and in later ones, was moved before it.
  test.each(["InvalidMessageContents", "InternalError"])("mv, %s", async (code) => {
    put("a.fifo", ["g", "h"], 25);
    failing("g-3", code);
    const stopped = await run(["mv", "a.fifo", "b.fifo"]);
    expect(stopped.code).toBe(1);
    expect(stopped.stdout).toMatch(/^28 moved, 1 failed, \d+ behind them stay\n$/);
    expect(stopped.stderr).toContain(code);
    expect(stopped.stderr).toMatch(
      /group g: \d+ stay in a\.fifo, in order, behind one that could not be sent/,
    );
    expect([bodies("b.fifo", "g"), bodies("b.fifo", "h")]).toEqual([upTo("g", 0, 3), upTo("h", 0, 25)]);
    expect([bodies("a.fifo", "g"), bodies("a.fifo", "h")]).toEqual([upTo("g", 3, 25), []]);
    expect(model.queues.get("a.fifo")?.counts().visible).toBe(22);
    model.faults.failEntry = null;
    expect((await run(["mv", "a.fifo", "b.fifo"])).code).toBe(0);
    expect(bodies("b.fifo", "g")).toEqual(upTo("g", 0, 25));
  });

  test("requeue, whose other lines are handed back in order", async () => {
    const lines = messagesOf(["g", "h"], 120).map(({ body, group }) =>
      JSON.stringify({ MessageId: body, Body: body, Attributes: { MessageGroupId: group } }),
    );
    writeFileSync(join(workspace.cwd, "lines"), `${lines.join("\n")}\n`);
    // In the second hundred of lines too, which are sent by another call.
    failing("g-3", "InvalidMessageContents");
    const stopped = await run(["requeue", "b.fifo", "lines"]);
    expect(stopped.code).toBe(1);
    expect([bodies("b.fifo", "g"), bodies("b.fifo", "h")]).toEqual([upTo("g", 0, 3), upTo("h", 0, 120)]);
    expect(stopped.stderr).toContain("not sent, because a line of group g before it could not be");
    expect(stopped.stdout).toBe(`${lines.filter((_, at) => at % 2 === 0 && at >= 6).join("\n")}\n`);
    model.faults.failEntry = null;
    writeFileSync(join(workspace.cwd, "rest"), stopped.stdout);
    expect((await run(["requeue", "b.fifo", "rest"])).code).toBe(0);
    expect(bodies("b.fifo", "g")).toEqual(upTo("g", 0, 120));
  });

  test("redrive", async () => {
    model.create("a-dead.fifo", { FifoQueue: "true" });
    put("a-dead.fifo", ["g", "h"], 5);
    failing("g-1", "InternalError");
    const stopped = await run(["redrive", "a.fifo"]);
    expect([stopped.code, stopped.stdout]).toEqual([1, "6 redriven from a-dead.fifo to a.fifo\n"]);
    expect(stopped.stderr).toContain("4 could not be sent and stay where they are: ");
    expect([bodies("a.fifo", "g"), bodies("a.fifo", "h")]).toEqual([["g-0"], upTo("h", 0, 5)]);
    model.faults.failEntry = null;
    expect((await run(["redrive", "a.fifo"])).code).toBe(0);
    expect(bodies("a.fifo", "g")).toEqual(upTo("g", 0, 5));
  });
});

test.each([1, 2, 3])(
  "mv, whatever SQS fails at: nothing lost, each group in order (seed %d)",
  async (seed) => {
    const random = seeded(seed);
    const groups = ["g", "h", "i"];
    put("a.fifo", groups, 12);
    model.faults.failEntry = (action) =>
      action === "SendMessageBatch" && random() < 0.5
        ? random() < 0.5
          ? "InternalError"
          : "InvalidMessageContents"
        : null;
    let runs = 0;
    for (; (model.queues.get("a.fifo")?.messages.size ?? 0) > 0 && runs < 200; runs += 1) {
      await run(["mv", "a.fifo", "b.fifo"]);
      for (const group of groups) {
        const both = [...bodies("b.fifo", group), ...bodies("a.fifo", group)];
        expect([seed, runs, both]).toEqual([seed, runs, upTo(group, 0, 12)]);
      }
    }
    expect(runs).toBeWithin(2, 200);
  },
);
