/**
 * Makes the files of a release; started by scripts/release.
 *
 * The files of a target depend on the commit alone, not on the machine, the folder or the time.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../../package.json" with { type: "json" };
import { build } from "../build.ts";
import { packArchive } from "./archive.ts";
import { findBundledPackages } from "./compile.ts";
import { writeDebianPackage } from "./debian.ts";
import { companions, releaseNotes, type ReleaseFacts, type ReleaseFile } from "./documents.ts";
import { licenseText } from "./licenses.ts";
import { readRevision } from "./revision.ts";
import { placeRuntime } from "./runtimes.ts";
import { createSbom } from "./sbom.ts";
import { chooseTargets, runtimeVersion, type Target } from "./targets.ts";

const root = resolve(import.meta.dir, "..", "..");
const { version } = manifest;

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true, default: [] },
    out: { type: "string", default: join(root, "dist", "release") },
    runtime: { type: "string" },
    "no-debian": { type: "boolean", default: false },
  },
});

if (manifest.packageManager !== `bun@${runtimeVersion}`) {
  throw new Error(`package.json pins ${manifest.packageManager}: pin the sums of its packages in targets.ts`);
}
const revision = readRevision(root);
if (revision === null) {
  throw new Error("a release is made of a commit: commit or undo what was changed in the sources");
}
const chosen = chooseTargets(values.target);
if (values.runtime !== undefined && chosen.length !== 1) {
  throw new Error("--runtime is the Bun of one platform: name it with --target");
}
const runtimeCache = process.env["HOOKLINE_RUNTIME_CACHE"] ?? join(root, ".tools", "runtimes");
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

const packages = await findBundledPackages();
const facts: ReleaseFacts = { root, version, revision, licenses: licenseText(root, packages) };
const files: ReleaseFile[] = [];
const work = mkdtempSync(join(tmpdir(), "hookline-release-"));
try {
  for (const target of chosen) await release(target);
  write(`hookline-${version}.cdx.json`, createSbom({ ...facts, packages, lock: read("bun.lock") }));
  write("install.sh", read("scripts/install.sh"));
  writeSums();
  writeFileSync(join(out, "RELEASE-NOTES.md"), releaseNotes(facts, files));
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The archive of a target, and its Debian package where it has one. */
async function release(target: Target): Promise<void> {
  const startedAt = performance.now();
  const outfile = join(work, target.name, target.executable);
  const runtime = values.runtime ?? placeRuntime(target, runtimeCache, work);
  await build({ outfile, revision, target: { name: target.name, runtime: resolve(runtime) } });
  const folder = `hookline-${version}-${target.name}`;
  const executable = { name: `${folder}/${target.executable}`, content: readFileSync(outfile) };
  const others = companions(facts).map(([name, text]) => ({
    name: `${folder}/${name}`,
    content: Buffer.from(text),
    isExecutable: false,
  }));
  const entries = [{ ...executable, isExecutable: true }, ...others];
  write(
    `${folder}.${target.archive}`,
    packArchive(target.archive, entries, new Date(facts.revision.date)),
    target,
  );
  if (target.debian !== undefined && !values["no-debian"]) {
    const name = `hookline_${version}_${target.debian}.deb`;
    writeDebianPackage(facts, outfile, target.debian, join(out, name));
    note(name, target);
  }
  // Of eight executables of 110 MB one is on the disk at a time.
  for (const path of [join(work, target.name), join(work, `runtime-${target.name}`)]) {
    rmSync(path, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const size = (executable.content.length / 1e6).toFixed(1);
  console.error(`==> ${target.name}: ${size} MB, in ${seconds} s`);
}

function write(name: string, content: string | Uint8Array, target: Target | null = null): void {
  writeFileSync(join(out, name), content);
  note(name, target);
}

function note(name: string, target: Target | null): void {
  files.push({ name, bytes: statSync(join(out, name)).size, target });
}

function writeSums(): void {
  const lines = files.map(({ name }) => {
    const sum = createHash("sha256")
      .update(readFileSync(join(out, name)))
      .digest("hex");
    return `${sum}  ${name}\n`;
  });
  writeFileSync(join(out, "SHA256SUMS"), lines.join(""));
}

function read(name: string): string {
  return readFileSync(join(root, name), "utf8");
}
