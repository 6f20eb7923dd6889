/**
 * Builds the commit of a released file again and compares the bytes; started by scripts/verify-release.
 *
 * The file names its commit and its platform itself: a mark inside of the executable. What is built is that commit,
 * from a fresh clone of this repository, by that commit's own scripts/release.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { markStart, parseBuildMark } from "../../src/build-mark.ts";
import { unpackArchive } from "./archive.ts";
import { compareEntries } from "./compare.ts";
import { readCommit } from "./revision.ts";
import { targets, type Target } from "./targets.ts";
import type { ArchiveEntry } from "./tar.ts";

const root = resolve(import.meta.dir, "..", "..");

/** The commit and the platform that the executable among the files names; throws when none does. */
function readMark(entries: readonly ArchiveEntry[]): { commit: string; target: Target } {
  const executable = entries.find(
    ({ name }) => /(^|\/)hookline(\.exe)?$/.test(name) && !name.includes("share/"),
  );
  if (executable === undefined) throw new Error("there is no hookline executable in it");
  const content = Buffer.from(executable.content);
  for (let at = content.indexOf(markStart); at !== -1; at = content.indexOf(markStart, at + 1)) {
    const mark = parseBuildMark(content.subarray(at, at + 120).toString("latin1"));
    const target = targets.find(({ name }) => name === mark?.target);
    if (mark === null || target === undefined) continue;
    if (mark.commit === null)
      throw new Error("it was built from changed sources: there is no commit to build");
    return { commit: mark.commit, target };
  }
  throw new Error("its executable names no commit: scripts/release did not make it");
}

/** Builds the commit's release of one target and returns the file that has this name. */
function buildAgain(commit: string, target: Target, name: string, work: string): Uint8Array {
  const clone = join(work, "clone");
  command(["git", "clone", "--quiet", "--no-checkout", "--shared", root, clone]);
  command(["git", "-C", clone, "checkout", "--quiet", "--detach", commit]);
  const out = join(work, "out");
  const isDebian = name.endsWith(".deb");
  const flags = ["--target", target.name, "--out", out, ...(isDebian ? [] : ["--no-debian"])];
  command([join(clone, "scripts", "release"), ...flags]);
  return readFileSync(join(out, name));
}

function command([program = "", ...args]: readonly string[]): void {
  const cache = process.env["HOOKLINE_RUNTIME_CACHE"] ?? join(root, ".tools", "runtimes");
  const { status } = spawnSync(program, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, HOOKLINE_RUNTIME_CACHE: cache },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed with ${status}`);
}

/** True when the file is what its commit builds; says so, or what differs. */
function verify(file: string): boolean {
  const released = readFileSync(file);
  const entries = unpackArchive(released);
  const { commit, target } = readMark(entries);
  if (readCommit(root, commit) === null) {
    throw new Error(`it names commit ${commit}, which this repository does not have: git fetch`);
  }
  console.error(`==> ${basename(file)} names commit ${commit} and ${target.name}: building that`);
  const work = mkdtempSync(join(tmpdir(), "hookline-verify-"));
  try {
    const built = buildAgain(commit, target, basename(file), work);
    if (released.equals(built)) {
      console.log(`${file}: the same ${built.length} bytes as commit ${commit} builds`);
      return true;
    }
    const lines = compareEntries(entries, unpackArchive(built));
    if (lines.length === 0) {
      console.log(`${file}: holds the same files as commit ${commit} builds, but is packed in other bytes`);
      return true;
    }
    console.log(`${file}: is NOT what commit ${commit} builds`);
    for (const line of lines) console.log(line);
    return false;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const files = process.argv.slice(2);
if (files.length === 0) throw new Error("usage: scripts/verify-release FILE...");
let isSame = true;
for (const file of files) isSame = verify(file) && isSame;
process.exit(isSame ? 0 : 1);
