import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { packArchive, unpackArchive } from "../../scripts/packaging/archive.ts";
import { compareEntries } from "../../scripts/packaging/compare.ts";
import { findBundledPackages } from "../../scripts/packaging/compile.ts";
import { changesOf } from "../../scripts/packaging/documents.ts";
import { createSbom } from "../../scripts/packaging/sbom.ts";
import type { ArchiveEntry } from "../../scripts/packaging/tar.ts";
import { chooseTargets, runtimeVersion, targets } from "../../scripts/packaging/targets.ts";
import { run } from "../support/command.ts";

const root = resolve(import.meta.dir, "..", "..");
const time = new Date("2026-11-30T01:02:04Z");
const entry = (name: string, text: string, isExecutable = false): ArchiveEntry => ({
  name,
  content: Buffer.from(text),
  isExecutable,
});
const files = [
  entry("hookline-1-x/hookline", "#!/bin/sh\necho 1.2.3\n", true),
  entry("hookline-1-x/LICENSE", "MIT\n"),
  entry("hookline-1-x/empty", ""),
  entry("hookline-1-x/block", "b".repeat(1024)),
];

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "hookline-packaging-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("archives", () => {
  test("tar unpacks a .tar.gz with its modes, times and owners", async () => {
    const file = join(folder, "a.tar.gz");
    writeFileSync(file, packArchive("tar.gz", files, time));
    const { stdout } = await run(["tar", "--utc", "--full-time", "-tvzf", file]);
    expect(stdout.split("\n")[0]).toMatch(
      /^-rwxr-xr-x root\/root +21 2026-11-30 01:02:04 hookline-1-x\/hookline$/,
    );
    await run(["tar", "-xzf", file, "-C", folder]);
    for (const { name, content, isExecutable } of files) {
      expect(Buffer.compare(readFileSync(join(folder, name)), content)).toBe(0);
      expect((statSync(join(folder, name)).mode & 0o100) !== 0).toBe(isExecutable);
    }
  });

  test.skipIf(Bun.which("unzip") === null)("unzip unpacks a .zip with its modes", async () => {
    const file = join(folder, "a.zip");
    writeFileSync(file, packArchive("zip", files, time));
    await run(["unzip", "-q", file, "-d", join(folder, "zip")]);
    for (const { name, content, isExecutable } of files) {
      expect(Buffer.compare(readFileSync(join(folder, "zip", name)), content)).toBe(0);
      expect((statSync(join(folder, "zip", name)).mode & 0o100) !== 0).toBe(isExecutable);
    }
  });

  test("the same files give the same bytes, in any time zone", async () => {
    const script = `import { packArchive } from ${JSON.stringify(join(root, "scripts/packaging/archive.ts"))};
      const files = [{ name: "a", content: new Uint8Array([1, 2]), isExecutable: true }];
      for (const kind of ["zip", "tar.gz"] as const) console.log(Bun.hash(packArchive(kind, files, new Date("2026-11-30T01:02:04Z"))));`;
    writeFileSync(join(folder, "pack.ts"), script);
    const sums = await Promise.all(
      ["UTC", "Asia/Tokyo"].map((TZ) => run([process.execPath, join(folder, "pack.ts")], { env: { TZ } })),
    );
    expect(sums[0]?.stdout).toMatch(/^\d+n?\n\d+n?\n$/);
    expect(sums[1]?.stdout).toBe(sums[0]?.stdout as string);
  });

  test("what was packed is read back", () => {
    for (const kind of ["tar.gz", "zip"] as const) {
      expect(unpackArchive(packArchive(kind, files, time)).map(plain)).toEqual(files.map(plain));
    }
    expect(() => unpackArchive(Buffer.from("something else"))).toThrow("neither a .tar.gz");
  });
});

const plain = ({ name, content, isExecutable }: ArchiveEntry): unknown[] => [
  name,
  Buffer.from(content).toString(),
  isExecutable,
];

test("a comparison names the file, the place and both texts; the same files differ in nothing", () => {
  expect(compareEntries(files, files)).toEqual([]);
  const text = "a".repeat(100);
  const lines = compareEntries(
    [entry("x", `${text}THEIRS${text}`), entry("more", "")],
    [entry("x", `${text}OURSEX${text}`, true), entry("less", "")],
  );
  expect(lines).toEqual([
    "x: may not be executed in the release only",
    "x: 6 bytes of 206 differ, in 1 places",
    "  6 bytes at 0x64",
    `    released  ${"a".repeat(16)}THEIRS${"a".repeat(42)}`,
    `    built     ${"a".repeat(16)}OURSEX${"a".repeat(42)}`,
    "more: only in the release",
    "less: missing in the release",
  ]);
});

test("the targets pin the packages of the Bun that package.json pins", () => {
  expect(manifest.packageManager).toBe(`bun@${runtimeVersion}`);
  for (const { integrity } of targets) expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
  expect(chooseTargets([])).toHaveLength(8);
  expect(() => chooseTargets(["linux-x86"])).toThrow('no target "linux-x86"');
});

test("the bill of materials lists exactly the bundled packages, with the sums of bun.lock", async () => {
  const packages = await findBundledPackages();
  const lock = readFileSync(join(root, "bun.lock"), "utf8");
  const revision = { commit: "0".repeat(40), date: "2026-11-30T01:02:03Z" };
  const bill = JSON.parse(createSbom({ version: "1.2.3", revision, packages, lock }));
  expect(bill).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
  const names = bill.components.map((part: { purl: string }) => part.purl);
  expect(names).toContain(`pkg:npm/valibot@${manifest.dependencies.valibot}`);
  expect(names).toContain(`pkg:npm/%40aws-sdk/client-sqs@${manifest.dependencies["@aws-sdk/client-sqs"]}`);
  expect(names).toContain(`pkg:npm/bun@${runtimeVersion}`);
  expect(names).toHaveLength(packages.length + 1);
  for (const name of Object.keys(manifest.devDependencies)) {
    expect(names.some((purl: string) => purl.startsWith(`pkg:npm/${name.replace("@", "%40")}@`))).toBe(false);
  }
  // scripts/release may be called from anywhere.
  const list = `import { findBundledPackages } from ${JSON.stringify(join(root, "scripts/packaging/compile.ts"))};
    console.log(JSON.stringify(await findBundledPackages()));`;
  writeFileSync(join(folder, "list.ts"), list);
  const elsewhere = await run([process.execPath, join(folder, "list.ts")], { cwd: folder });
  expect(JSON.parse(elsewhere.stdout)).toEqual(packages);
  expect(bill.components[0].hashes[0].content).toMatch(/^[0-9a-f]{128}$/);
});

test("release notes take the version's section of the changelog, or what is not released yet", () => {
  const changelog = "# Changelog\n\n## [Unreleased]\n\nnew\n\n## [1.0.0] - 2026-01-01\n\nold\n";
  expect(changesOf(changelog, "1.0.0")).toBe("## [1.0.0] - 2026-01-01\n\nold\n");
  expect(changesOf(changelog, "2.0.0")).toBe("## [Unreleased]\n\nnew\n");
});

describe("scripts/install.sh", () => {
  let mirror = "";
  const target = "linux-x64";
  const name = `hookline-1.2.3-${target}`;
  beforeAll(() => {
    mirror = join(folder, "mirror");
    mkdirSync(mirror);
    const parts = ["LICENSE", "THIRD-PARTY-LICENSES", "hookline.1", "completions/hookline.bash"];
    parts.push("completions/_hookline", "completions/hookline.fish");
    const entries = [
      entry(`${name}/hookline`, "#!/bin/sh\necho 1.2.3\n", true),
      ...parts.map((part) => entry(`${name}/${part}`, part)),
    ];
    const archive = packArchive("tar.gz", entries, time);
    writeFileSync(join(mirror, `${name}.tar.gz`), archive);
    const sum = createHash("sha256").update(archive).digest("hex");
    writeFileSync(
      join(mirror, "SHA256SUMS"),
      `${sum}  ${name}.tar.gz\n${sum}  hookline-1.2.3-linux-x64-musl.tar.gz\n`,
    );
  });
  const install = (prefix: string, env: Record<string, string> = {}, code = 0): ReturnType<typeof run> =>
    run(["sh", join(root, "scripts", "install.sh")], {
      env: {
        HOOKLINE_RELEASES: mirror,
        HOOKLINE_TARGET: target,
        HOOKLINE_PREFIX: join(folder, prefix),
        ...env,
      },
      code,
    });

  test("installs the executable, the page, the licences and the completions from a folder", async () => {
    const { stdout } = await install("one");
    expect(stdout).toContain(`installed hookline 1.2.3 as ${join(folder, "one")}/bin/hookline\n`);
    expect((await run([join(folder, "one", "bin", "hookline")])).stdout).toBe("1.2.3\n");
    for (const file of [
      "man/man1/hookline.1",
      "doc/hookline/THIRD-PARTY-LICENSES",
      "zsh/site-functions/_hookline",
    ]) {
      expect(existsSync(join(folder, "one", "share", file))).toBe(true);
    }
    // Again, over what is there.
    await install("one", { HOOKLINE_VERSION: "1.2.3" });
  });

  test("installs from a web server", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => new Response(Bun.file(join(mirror, new URL(request.url).pathname))),
    });
    try {
      await install("web", { HOOKLINE_RELEASES: `http://127.0.0.1:${server.port}` });
    } finally {
      await server.stop(true);
    }
    expect((await run([join(folder, "web", "bin", "hookline")])).stdout).toBe("1.2.3\n");
  });

  test("installs nothing whose sum is another, or that is not there", async () => {
    const { stderr } = await install("none", { HOOKLINE_VERSION: "9.9.9" }, 1);
    expect(stderr).toContain("SHA256SUMS names no archive for linux-x64 in version 9.9.9");
    expect((await install("none", { HOOKLINE_TARGET: "darwin-arm64" }, 1)).stderr).toContain("darwin-arm64");
    const bad = join(folder, "bad");
    mkdirSync(bad);
    writeFileSync(join(bad, "SHA256SUMS"), readFileSync(join(mirror, "SHA256SUMS")));
    writeFileSync(join(bad, `${name}.tar.gz`), "changed");
    const refused = await install("none", { HOOKLINE_RELEASES: bad }, 1);
    expect(refused.stderr).toContain("is damaged or was changed");
    expect(existsSync(join(folder, "none"))).toBe(false);
  });
});

test.skipIf(Bun.which("systemd-analyze") === null)("systemd understands the unit", async () => {
  // Its executable and its page are not on this machine: a program that is stands in.
  const text = readFileSync(join(root, "deploy", "hookline.service"), "utf8");
  const unit = join(folder, "hookline.service");
  writeFileSync(unit, text.replaceAll("/usr/bin/hookline", "/bin/true").replace(/^Documentation=.*\n/m, ""));
  const { stdout, stderr } = await run(["systemd-analyze", "verify", unit]);
  expect(stdout + stderr).toBe("");
});
