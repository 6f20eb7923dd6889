/**
 * Builds dist/hookline, the one executable.
 *
 * usage: bun scripts/build.ts [--if-stale] [--outfile=PATH]
 * --if-stale does nothing while the executable is the one these sources make.
 *
 * The same sources give the same bytes, wherever the repository lies. scripts/release builds for other platforms.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildMark } from "../src/build-mark.ts";
import { buildInputs, readRevision, type Revision } from "./packaging/revision.ts";

const root = resolve(import.meta.dir, "..");

/** The executable that the tests, scripts/run and the image use. */
export const executablePath = join(root, "dist", "hookline");

/** A digest of everything the executable is made of: sources, locked packages, the build, its commit, and Bun itself. */
export function sourceDigest(revision: Revision | null = readRevision(root)): string {
  const hash = createHash("sha256").update(Bun.version).update(buildMark(revision, null));
  for (const file of buildInputs.flatMap(filesOf)) {
    hash.update(`\0${file.slice(root.length)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

/** The files of a folder of the repository, sorted; a file stands for itself. */
function filesOf(name: string): string[] {
  const path = join(root, name);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** True when the executable was built from the sources as they are now. */
export function isFresh(outfile = executablePath): boolean {
  const stamp = `${outfile}.stamp`;
  return existsSync(outfile) && existsSync(stamp) && readFileSync(stamp, "utf8") === sourceDigest();
}

export interface BuildOptions {
  readonly outfile?: string;
  /** What `hookline version` says; without it, the commit that is checked out, where that is what is built. */
  readonly revision?: Revision | null;
  /** The platform it is for, and the Bun of that platform. Without it, this platform, and the Bun that runs this. */
  readonly target?: { readonly name: string; readonly runtime: string };
}

/** Builds the executable; throws with Bun's messages when that fails. The file appears in one step, whole. */
export async function build(options: BuildOptions = {}): Promise<void> {
  const { outfile = executablePath, target, revision = readRevision(root) } = options;
  const digest = sourceDigest(revision);
  mkdirSync(dirname(outfile), { recursive: true });
  // Bun writes the name of the file into it, so it is built under its own name, in a folder of its own: two
  // builds at once must not write into each other's file.
  const folder = mkdtempSync(`${outfile}.build-`);
  const unfinished = join(folder, basename(outfile));
  try {
    const mark = buildMark(revision, target?.name ?? null);
    const command = [process.execPath, join(root, "scripts", "packaging", "compile.ts"), unfinished, mark];
    if (target !== undefined) command.push(target.name, target.runtime);
    const child = Bun.spawn(command, { cwd: root, env: buildEnv(), stdout: "pipe", stderr: "pipe" });
    const [code, stdout, stderr] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code !== 0) throw new Error(`the build failed with ${code}:\n${stdout}${stderr}`);
    renameSync(unfinished, outfile);
    writeFileSync(`${outfile}.stamp`, digest);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without NODE_ENV and the like: Bun writes what it finds there into the bundle. */
function buildEnv(): Record<string, string> {
  const names = ["PATH", "HOME", "TMPDIR"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      "if-stale": { type: "boolean", default: false },
      outfile: { type: "string", default: executablePath },
    },
  });
  const outfile = resolve(values.outfile);
  if (values["if-stale"] && isFresh(outfile)) process.exit(0);
  const startedAt = performance.now();
  await build({ outfile });
  console.error(
    `==> built ${relative(process.cwd(), outfile)} in ${Math.round(performance.now() - startedAt)} ms`,
  );
}
