import { crc32, inflateRawSync } from "node:zlib";
import type { ArchiveEntry } from "./tar.ts";

/** What stands in front of a file, of its entry in the directory, and of the directory's end (APPNOTE 4.3). */
const signatures = { file: 0x04034b50, entry: 0x02014b50, end: 0x06054b50 } as const;
/** A regular file of Unix; the mode's bits are below. */
const regularFile = 0o100000;

/** A zip archive of files, in the order given, all from one time: the same entries give the same bytes. */
export function writeZip(entries: readonly ArchiveEntry[], modifiedAt: Date): Uint8Array {
  const files: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const packed = Bun.deflateSync(entry.content as Uint8Array<ArrayBuffer>, {
      level: 6,
      library: "libdeflate",
    });
    // 20: the version that understands deflate; 0x800: names in UTF-8; 8: deflate.
    const common = fields([
      [20, 2],
      [0x800, 2],
      [8, 2],
      [dosTime(modifiedAt), 4],
      [crc32(entry.content), 4],
      [packed.length, 4],
      [entry.content.length, 4],
      [name.length, 2],
      [0, 2],
    ]);
    const mode = regularFile | (entry.isExecutable ? 0o755 : 0o644);
    const places = fields([
      [0, 2],
      [0, 2],
      [0, 2],
      [mode * 0x10000, 4],
      [offset, 4],
    ]);
    // 0x0314: made on Unix, so that the mode counts.
    const opening = fields([
      [signatures.entry, 4],
      [0x0314, 2],
    ]);
    directory.push(opening, common, places, name);
    const file = [fields([[signatures.file, 4]]), common, name, packed];
    files.push(...file);
    offset += file.reduce((sum, part) => sum + part.length, 0);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = fields([
    [signatures.end, 4],
    [0, 4],
    [entries.length, 2],
    [entries.length, 2],
    [size, 4],
    [offset, 4],
    [0, 2],
  ]);
  return Buffer.concat([...files, ...directory, end]);
}

/** Numbers of so many bytes each, the lowest byte first. */
function fields(list: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = Buffer.alloc(list.reduce((sum, [, size]) => sum + size, 0));
  let at = 0;
  for (const [value, size] of list) at = bytes.writeUIntLE(value, at, size);
  return bytes;
}

/** MS-DOS's date and time, in steps of two seconds; it knows no time zone, and the release's is UTC. */
function dosTime(time: Date): number {
  const date = ((time.getUTCFullYear() - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate();
  const clock = (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1);
  return date * 0x10000 + clock;
}

/** The files of a zip archive, by its directory; throws when it has none at its end. */
export function readZip(archive: Uint8Array): ArchiveEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  const end = bytes.length - 22;
  if (end < 0 || bytes.readUInt32LE(end) !== signatures.end)
    throw new Error("the zip archive has no directory");
  const entries: ArchiveEntry[] = [];
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const file = bytes.readUInt32LE(at + 42);
    const start = file + 30 + bytes.readUInt16LE(file + 26) + bytes.readUInt16LE(file + 28);
    const packed = bytes.subarray(start, start + bytes.readUInt32LE(at + 20));
    const content = bytes.readUInt16LE(at + 10) === 8 ? inflateRawSync(packed) : packed;
    const isExecutable = ((bytes.readUInt32LE(at + 38) / 0x10000) & 0o100) !== 0;
    entries.push({ name, content, isExecutable });
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return entries;
}
