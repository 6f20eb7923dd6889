import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { targets } from "../../scripts/packaging/targets.ts";
import { run } from "../support/command.ts";
import { makeRelease, root } from "./release-files.ts";

const isLong = process.env["HOOKLINE_LONG"] === "1";
const timeoutMs = 3_600_000;
const env = { HOOKLINE_RUNTIME_CACHE: join(root, ".tools", "runtimes") };

function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "hookline-clone-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A clone of this repository at the commit that is checked out. */
async function clone(to: string): Promise<string> {
  await run(["git", "clone", "--quiet", root, to]);
  return to;
}

describe.skipIf(!isLong)("full releases (--long)", () => {
  test(
    "two clones in two places make the same files for all platforms, and their sums hold",
    async () => {
      using place = temporaryFolder();
      using first = await makeRelease([], { tree: await clone(join(place.path, "one")) });
      using second = await makeRelease([], { tree: await clone(join(place.path, "deeper", "two")) });
      const sums = readFileSync(join(first.folder, "SHA256SUMS"), "utf8");
      expect(readFileSync(join(second.folder, "SHA256SUMS"), "utf8")).toBe(sums);
      await run(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: second.folder });
      for (const { name, archive } of targets)
        expect(sums).toMatch(new RegExp(`-${name}\\.${archive}$`, "m"));
      expect(sums.trim().split("\n")).toHaveLength(targets.length + 4);
      expect(readdirSync(first.folder)).toContain("RELEASE-NOTES.md");
      // What no test has run is marked, in the notes and in README.
      const notes = readFileSync(join(first.folder, "RELEASE-NOTES.md"), "utf8");
      for (const { name, tested } of targets) {
        const line = notes.split("\n").find((text) => text.includes(`-${name}.`)) ?? "";
        expect(line.includes("not run by any test")).toBe(tested === null);
      }
      // Two that are not for every processor of ours run here too: one as it is, one emulated.
      const emulator = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"];
      for (const [name, command] of [
        ["linux-x64-baseline", []],
        ["linux-arm64", emulator],
      ] as const) {
        await run(["tar", "-xzf", first.find(`-${name}.tar.gz`), "-C", place.path, "--strip-components=1"]);
        const { stdout } = await run([...command, join(place.path, "hookline"), "demo"], {
          timeoutMs: 300_000,
        });
        expect(stdout).toContain("deliveries verified");
      }
    },
    timeoutMs,
  );

  test(
    "verify-release says that a file is what its commit builds, and which bytes differ where a source was changed",
    async () => {
      using place = temporaryFolder();
      using honest = await makeRelease(["linux-x64"]);
      const verify = [join(root, "scripts", "verify-release")];
      for (const ending of ["-linux-x64.tar.gz", "_amd64.deb"]) {
        const { stdout } = await run([...verify, honest.find(ending)], { timeoutMs, env });
        expect(stdout).toMatch(/: the same \d+ bytes as commit [0-9a-f]{40} builds\n$/);
      }
      // A release of other sources that claims to be of the same commit: the sources lie outside of git.
      const tree = await clone(join(place.path, "changed"));
      const commit = (await run(["git", "-C", tree, "rev-parse", "HEAD"])).stdout.trim();
      const date = (await run(["git", "-C", tree, "show", "-s", "--format=%cI"])).stdout.trim();
      rmSync(join(tree, ".git"), { recursive: true });
      const source = join(tree, "src", "cli", "help.ts");
      const text = readFileSync(source, "utf8");
      writeFileSync(
        source,
        text.replace("a webhook queue in one executable", "a webhook queue in one evil file"),
      );
      const out = join(place.path, "out");
      await run([join(tree, "scripts", "release"), "--target", "linux-x64", "--no-debian", "--out", out], {
        timeoutMs,
        env: { ...env, HOOKLINE_COMMIT: commit, HOOKLINE_COMMIT_DATE: date },
      });
      const name = readdirSync(out).find((file) => file.endsWith(".tar.gz")) ?? "";
      const { stdout } = await run([...verify, join(out, name)], { timeoutMs, env, code: 1 });
      console.error(stdout);
      expect(stdout).toContain(`is NOT what commit ${commit} builds`);
      expect(stdout).toMatch(/\/hookline: \d+ bytes .* differ, in \d+ places/);
      expect(stdout).toMatch(/released .*evil/);
    },
    timeoutMs,
  );
});
