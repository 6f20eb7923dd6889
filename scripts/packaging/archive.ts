import { spawnSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import { readTar, writeTar, type ArchiveEntry } from "./tar.ts";
import type { Target } from "./targets.ts";
import { readZip, writeZip } from "./zip.ts";

/** The archive of a target, reproducible to the byte. */
export function packArchive(
  kind: Target["archive"],
  entries: readonly ArchiveEntry[],
  modifiedAt: Date,
): Uint8Array {
  return kind === "zip" ? writeZip(entries, modifiedAt) : gzip(writeTar(entries, modifiedAt));
}

/**
 * The bytes as gzip, without a time or a name.
 *
 * libdeflate packs the same bytes alike on every processor, and Bun's version of it is pinned with Bun. zlib-ng, which
 * node:zlib is in Bun, finds other matches on other processors.
 */
export function gzip(bytes: Uint8Array): Uint8Array {
  return Bun.gzipSync(bytes as Uint8Array<ArrayBuffer>, { level: 6, library: "libdeflate" });
}

/** The files of an archive or of a Debian package, told apart by their first bytes. */
export function unpackArchive(bytes: Uint8Array): ArchiveEntry[] {
  const start = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  if (start.startsWith("\x1f\x8b")) return readTar(gunzipSync(bytes));
  if (start.startsWith("!<arch>")) return readTar(debianTar(bytes));
  if (start.startsWith("PK")) return readZip(bytes);
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
