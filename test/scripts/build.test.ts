import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseBuildMark } from "../../src/build-mark.ts";
import { buildInputs, readRevision } from "../../scripts/packaging/revision.ts";
import { run } from "../support/command.ts";

const root = resolve(import.meta.dir, "..", "..");

/** Everything that a build needs, and the folder it needs most from: bundled packages, not the whole of node_modules. */
let folder = "";
/** A build takes two seconds, and many times that on a machine that is busy. */
const timeoutMs = 180_000;
let [first, second] = ["", ""];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookline-build-"));
  first = join(folder, "first");
  second = join(folder, "another", "place", "second");
  mkdirSync(first);
  for (const name of buildInputs) {
    mkdirSync(dirname(join(first, name)), { recursive: true });
    cpSync(join(root, name), join(first, name), { recursive: true });
  }
  writeFileSync(join(first, ".gitignore"), "/dist/\n/node_modules/\n");
  writeFileSync(join(first, "notes.txt"), "not part of the executable\n");
  await git(first, "init", "--quiet");
  await commit("one");
  await run(["git", "clone", "--quiet", first, second]);
  // Copies: through a link both would be bundled from one and the same place.
  const { findBundledPackages } = await import("../../scripts/packaging/compile.ts");
  for (const { folder: part } of await findBundledPackages()) {
    for (const tree of [first, second]) {
      mkdirSync(dirname(join(tree, part)), { recursive: true });
      cpSync(join(root, part), join(tree, part), { recursive: true });
    }
  }
}, timeoutMs);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const git = (tree: string, ...args: string[]): Promise<unknown> => run(["git", "-C", tree, ...args]);

async function commit(message: string): Promise<void> {
  await git(first, "add", ".");
  const author = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
  await git(first, ...author, "commit", "--quiet", "-m", message);
}

const build = (tree: string, env: Record<string, string> = {}): Promise<unknown> =>
  run([process.execPath, join(tree, "scripts", "build.ts"), "--if-stale"], { cwd: folder, env, timeoutMs });
const versionOf = async (tree: string): Promise<Record<string, string | null>> =>
  JSON.parse((await run([join(tree, "dist", "hookline"), "version", "--json"])).stdout);
const bytesOf = (tree: string): Buffer => readFileSync(join(tree, "dist", "hookline"));

test(
  "two clones in two places are built to the same bytes, whatever NODE_ENV says, and name their commit",
  async () => {
    const revision = readRevision(first);
    expect(revision?.commit).toMatch(/^[0-9a-f]{40}$/);
    await Promise.all([build(first, { NODE_ENV: "test" }), build(second, { NODE_ENV: "production" })]);
    expect(bytesOf(second).equals(bytesOf(first))).toBe(true);
    expect(bytesOf(first).includes(folder)).toBe(false);
    expect(await versionOf(first)).toMatchObject({ ...revision, target: null });
    const lines = (await run([join(first, "dist", "hookline"), "version"])).stdout.split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^\d+\.\d+\.\d+$/),
      `commit ${revision?.commit}`,
      `date ${revision?.date}`,
      "",
    ]);
  },
  timeoutMs,
);

test(
  "--if-stale builds nothing while nothing changed, and anew without git: then no commit is named",
  async () => {
    expect((await run([process.execPath, join(second, "scripts", "build.ts"), "--if-stale"])).stderr).toBe(
      "",
    );
    const before = bytesOf(second);
    rmSync(join(second, ".git"), { recursive: true });
    await build(second);
    expect(bytesOf(second).equals(before)).toBe(false);
    expect(await versionOf(second)).toMatchObject({ commit: null, date: null });
  },
  timeoutMs,
);

test("a commit stands for what it builds: not for changed sources, nor for a folder in somebody's repository", () => {
  // What is not part of the executable does not make it another one.
  writeFileSync(join(first, "notes.txt"), "changed\n");
  expect(readRevision(first)).not.toBeNull();
  writeFileSync(join(first, "src", "new.ts"), "export {};\n");
  expect(readRevision(first)).toBeNull();
  const unpacked = join(first, "unpacked");
  mkdirSync(unpacked);
  expect(readRevision(unpacked, {})).toBeNull();
  const named = { HOOKLINE_COMMIT: "0123456789".repeat(4), HOOKLINE_COMMIT_DATE: "2026-11-30" };
  expect(readRevision(unpacked, named)).toEqual({
    commit: named.HOOKLINE_COMMIT,
    date: "2026-11-30T00:00:00Z",
  });
  expect(() => readRevision(unpacked, { HOOKLINE_COMMIT: "main" })).toThrow("40 hex digits");
});

test("the licences of exactly what is bundled are inside", async () => {
  const { stdout } = await run([join(second, "dist", "hookline"), "licenses"]);
  for (const name of ["hookline", "ioredis ", "@aws-sdk/client-sqs ", "valibot ", "Bun, the runtime"]) {
    expect(stdout).toMatch(new RegExp(`^${RegExp.escape(name)}`, "m"));
  }
  for (const name of ["typescript", "bullmq", "oxlint"]) expect(stdout).not.toContain(`\n${name} `);
  expect(stdout).toContain("Permission is hereby granted");
  expect(stdout).toContain("Apache License");
  expect(stdout).toContain("LGPL");
});

test("a mark is read back, and nothing else is taken for one", () => {
  const line = "hookline-build 0123456789abcdef0123456789abcdef01234567 2026-11-30T01:02:03Z linux-x64-musl ";
  expect(parseBuildMark(line)).toEqual({
    commit: "0123456789abcdef0123456789abcdef01234567",
    date: "2026-11-30T01:02:03Z",
    target: "linux-x64-musl",
  });
  expect(parseBuildMark("hookline-build - - - ")).toEqual({ commit: null, date: null, target: null });
  expect(parseBuildMark("hookline-build ([0-9a-f]")).toBeNull();
});
