import { expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deadly, job } from "../drivers/conformance-bench.ts";
import { leaseFrom, openDriver, temporaryFolder } from "../support/file-driver.ts";
import { runCommand } from "./command-io.ts";

async function run(...args: readonly string[]) {
  const { code, stdout: out, stderr: err } = await runCommand("store", args);
  return { code, out, err };
}

/** What a run that is refused says. */
function refusal(...args: readonly string[]): Promise<string> {
  return run(...args).then(
    ({ out }) => `not refused: ${out}`,
    (error: unknown) => String(error),
  );
}

/** Three jobs that wait, one parked, one dead letter with bytes. */
async function fill(path: string): Promise<void> {
  const driver = await openDriver(path, { segmentBytes: 700, slackBytes: 1e9 });
  for (const id of ["parked", "dead", "a", "b", "c"])
    await driver.enqueue("q", [job(`{"body":"${id}"}`, { id })]);
  const [parked, dead] = await leaseFrom(driver, { max: 2 });
  await driver.settle([
    { verb: "park", key: "app/x", lease: parked! },
    { ...deadly("gone", { body: new Uint8Array([0xff, 1]) }), lease: dead! },
  ]);
  await driver.shared?.set("endpoint:app/x", "paused");
  await driver.close();
}

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("check counts what is there, dump prints it", async () => {
  using folder = temporaryFolder();
  await fill(folder.path);
  const checked = await run("check", "--path", folder.path);
  expect(checked).toMatchObject({ code: 0, err: "" });
  expect(checked.out).toContain("4 jobs, 1 dead letters, 0 damaged places");
  const dumped = await run("dump", "--path", folder.path);
  expect(dumped.code).toBe(0);
  expect(lines(dumped.out)).toMatchObject([
    { queue: "q", id: "parked", state: "parked", endpoint: "app/x", body: '{"body":"parked"}' },
    { queue: "q", id: "dead", state: "dead", reason: "gone", attempts: 1, body_base64: "/wE=" },
    { id: "a", state: "ready", attempts: 0 },
    { id: "b" },
    { id: "c" },
  ]);
});

test("a damaged store is refused, checked with every place named, and salvaged to one that starts", async () => {
  using folder = temporaryFolder();
  using target = temporaryFolder();
  await fill(folder.path);
  const names = readdirSync(join(folder.path, "journal")).sort();
  // In the middle of a job's bytes, in a segment that is not the last.
  const file = join(
    folder.path,
    "journal",
    names.find((name) => readFileSync(join(folder.path, "journal", name)).includes('"a"}'))!,
  );
  const bytes = readFileSync(file);
  bytes[bytes.indexOf('"a"}') + 1]! ^= 1;
  writeFileSync(file, bytes);
  expect(String(await openDriver(folder.path).catch((error: unknown) => error))).toContain("store salvage");

  const checked = await run("check", "--path", folder.path);
  expect(checked.code).toBe(1);
  expect(checked.out).toMatch(/offset \d+: a record cannot be read/);
  rmSync(target.path, { recursive: true });
  const salvaged = await run("salvage", "--path", folder.path, "--to", target.path);
  expect(salvaged).toMatchObject({ code: 1 });
  expect(salvaged.out).toContain("3 jobs and 1 dead letters");
  // The source is as it was.
  expect(readFileSync(file).equals(bytes)).toBe(true);

  const driver = await openDriver(target.path);
  expect((await leaseFrom(driver)).map((lease) => lease.job.id)).toEqual(["parked", "b", "c"]);
  const [letter] = (await driver.deadLetters("q", { limit: 10, cursor: null })).items;
  expect([letter?.id, letter?.body]).toEqual(["dead", new Uint8Array([0xff, 1])]);
  expect(await driver.shared?.all()).toEqual(new Map([["endpoint:app/x", "paused"]]));
  await driver.close();
  expect(await refusal("salvage", "--path", folder.path, "--to", target.path)).toContain("not empty");
});

test("a backup made while a process works is a store with everything that was confirmed", async () => {
  using folder = temporaryFolder();
  using target = temporaryFolder();
  const driver = await openDriver(folder.path, { segmentBytes: 4_000, slackBytes: 0 });
  await driver.enqueue(
    "q",
    Array.from({ length: 20 }, (_, n) => job(`kept ${n}`, { id: `kept-${n}`, delayMs: 3_600_000 })),
  );
  const over = new AbortController();
  const churn = (async () => {
    while (!over.signal.aborted) {
      await driver.enqueue(
        "q",
        Array.from({ length: 10 }, () => job("x".repeat(200))),
      );
      const leases = await leaseFrom(driver);
      await driver.settle(leases.map((lease) => ({ verb: "ack", lease })));
    }
  })();
  for (let round = 0; round < 5; round += 1) {
    rmSync(target.path, { recursive: true });
    expect(await run("backup", "--path", folder.path, "--to", target.path)).toMatchObject({ code: 0 });
    const copy = await openDriver(target.path);
    expect((await copy.stats("q")).delayed).toBe(20);
    await copy.close();
  }
  over.abort();
  await churn;
  await driver.close();
}, 240_000);

test("a folder without a store, and a word that is none, are said", async () => {
  expect(await run("check", "--path", "/nonexistent/store")).toMatchObject({ code: 1 });
  expect(await refusal("chek")).toContain("check");
  expect(await refusal("backup", "--path", ".")).toContain("--to");
});
