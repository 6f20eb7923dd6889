import { spawnSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import { gzipSync, unzipSync, zipSync, type Zippable } from "fflate";
import { readTar, writeTar, type ArchiveEntry } from "./tar.ts";
import type { Target } from "./targets.ts";

/**
 * The archive of a target, reproducible to the byte.
 *
 * fflate compresses, which is JavaScript alone: the zlib inside of Bun finds other matches on other processors.
 */
export function packArchive(
  kind: Target["archive"],
  entries: readonly ArchiveEntry[],
  modifiedAt: Date,
): Uint8Array {
  if (kind === "tar.gz") return gzipSync(writeTar(entries, modifiedAt), { level: 6, mtime: 0 });
  const files: Zippable = {};
  for (const { name, content, isExecutable } of entries) {
    // Made on Unix, so that unzip sets the mode.
    const attrs = (0o100000 | (isExecutable ? 0o755 : 0o644)) << 16;
    files[name] = [content, { level: 6, os: 3, attrs, mtime: localTime(modifiedAt) }];
  }
  return zipSync(files);
}

/** Zip has local time without a zone; the release's is UTC, wherever it is made. */
const localTime = (time: Date): Date => new Date(time.getTime() + time.getTimezoneOffset() * 60_000);

/** The files of an archive or of a Debian package, told apart by their first bytes. */
export function unpackArchive(bytes: Uint8Array): ArchiveEntry[] {
  const start = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  if (start.startsWith("\x1f\x8b")) return readTar(gunzipSync(bytes));
  if (start.startsWith("!<arch>")) return readTar(debianTar(bytes));
  if (start.startsWith("PK")) {
    return Object.entries(unzipSync(bytes)).map(([name, content]) => ({
      name,
      content,
      isExecutable: false,
    }));
  }
  throw new Error("neither a .tar.gz, nor a .zip, nor a .deb");
}

function debianTar(bytes: Uint8Array): Uint8Array {
  const { status, stdout, stderr } = spawnSync("dpkg-deb", ["--fsys-tarfile", "/dev/stdin"], {
    input: bytes,
    maxBuffer: 1024 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`dpkg-deb could not read the package: ${String(stderr)}`);
  return stdout;
}
