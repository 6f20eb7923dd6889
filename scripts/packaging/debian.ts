import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzip } from "./archive.ts";
import { completionFor, manualPage, ownLicense, schemaText, type ReleaseFacts } from "./documents.ts";

const read = (root: string, name: string): string => readFileSync(join(root, "deploy", name), "utf8");

/** A file as the package installs it. */
interface PackagedFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly mode?: number;
}

/**
 * Writes the Debian package of an executable: with its unit, manual page, completions, licences, and a configuration
 * that dpkg keeps when it was edited.
 *
 * dpkg-deb makes the same bytes of the same files: times are the commit's, owners root, compression on one thread.
 */
export function writeDebianPackage(
  facts: ReleaseFacts,
  executable: string,
  architecture: string,
  outfile: string,
): void {
  const stage = mkdtempSync(join(tmpdir(), "hookline-deb-"));
  try {
    const files = packagedFiles(facts, readFileSync(executable));
    for (const file of files) place(stage, file);
    for (const file of controlFiles(facts, architecture, files)) place(stage, file);
    settle(stage, new Date(facts.revision.date));
    // Level 1 makes 47 MB in 17 s; level 6 makes 42 MB in minutes.
    const options = ["--root-owner-group", "-Zxz", "-z1", "--threads-max=1"];
    const { status, stderr } = spawnSync("dpkg-deb", [...options, "--build", stage, outfile], {
      encoding: "utf8",
      env: {
        PATH: process.env["PATH"],
        SOURCE_DATE_EPOCH: String(Date.parse(facts.revision.date) / 1000),
      },
    });
    if (status !== 0)
      throw new Error(`dpkg-deb failed with ${status}: is the package dpkg there?\n${stderr}`);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function packagedFiles(facts: ReleaseFacts, executable: Uint8Array): PackagedFile[] {
  const doc = "usr/share/doc/hookline";
  const changelog = readFileSync(join(facts.root, "CHANGELOG.md"), "utf8");
  return [
    { path: "usr/bin/hookline", content: executable, mode: 0o755 },
    { path: "usr/lib/systemd/system/hookline.service", content: read(facts.root, "hookline.service") },
    // dpkg puts it there as root's alone; postinst gives it to the group of the service.
    { path: "etc/hookline/hookline.json", content: read(facts.root, "debian/hookline.json"), mode: 0o640 },
    { path: "usr/share/hookline/hookline.schema.json", content: schemaText() },
    { path: "usr/share/man/man1/hookline.1.gz", content: compress(manualPage(facts)) },
    { path: "usr/share/bash-completion/completions/hookline", content: completionFor("bash") },
    { path: "usr/share/zsh/vendor-completions/_hookline", content: completionFor("zsh") },
    { path: "usr/share/fish/vendor_completions.d/hookline.fish", content: completionFor("fish") },
    { path: `${doc}/changelog.gz`, content: compress(changelog) },
    { path: `${doc}/copyright`, content: copyright(facts) },
    { path: `${doc}/THIRD-PARTY-LICENSES.gz`, content: compress(facts.licenses) },
  ];
}

const compress = (text: string): Uint8Array => gzip(Buffer.from(text));

const copyright = (facts: ReleaseFacts): string =>
  `hookline\n\n${ownLicense(facts)}\nThe licences of what the executable contains are in THIRD-PARTY-LICENSES.gz;\n` +
  `"hookline licenses" prints them.\n`;

function controlFiles(
  { root, version }: ReleaseFacts,
  architecture: string,
  files: readonly PackagedFile[],
): PackagedFile[] {
  const kilobytes = files.map(({ content }) => Math.ceil(Buffer.byteLength(content) / 1024));
  const control = `Package: hookline
Version: ${version}
Architecture: ${architecture}
Maintainer: hookline contributors <hookline@example.invalid>
Installed-Size: ${kilobytes.reduce((sum, size) => sum + size, 0)}
Depends: libc6 (>= 2.27), passwd, init-system-helpers (>= 1.54~)
Recommends: ca-certificates
Section: net
Priority: optional
Description: webhook queue in one executable
 hookline takes webhook jobs over HTTP, from Redis or from SQS, delivers them
 as signed HTTP requests, retries them, and keeps what is given up as dead
 letters.
`;
  const scripts = ["postinst", "prerm", "postrm"].map((name) => ({
    path: `DEBIAN/${name}`,
    content: read(root, `debian/${name}`),
    mode: 0o755,
  }));
  return [
    { path: "DEBIAN/control", content: control },
    { path: "DEBIAN/conffiles", content: "/etc/hookline/hookline.json\n" },
    { path: "DEBIAN/md5sums", content: md5sums(files) },
    ...scripts,
  ];
}

/** dpkg --verify compares them; a file that an administrator edits is not among them. */
function md5sums(files: readonly PackagedFile[]): string {
  const lines = files
    .filter(({ path }) => !path.startsWith("etc/"))
    .map(({ path, content }) => `${new Bun.CryptoHasher("md5").update(content).digest("hex")}  ${path}\n`);
  return lines.sort().join("");
}

function place(stage: string, { path, content, mode = 0o644 }: PackagedFile): void {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/** One mode for all folders, whatever the umask, and one time for everything. */
function settle(stage: string, time: Date): void {
  for (const entry of readdirSync(stage, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    utimesSync(path, time, time);
  }
  chmodSync(stage, 0o755);
  utimesSync(stage, time, time);
}
