/** A file of an archive. */
export interface ArchiveEntry {
  /** Path with slashes, without a leading one. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly isExecutable: boolean;
}

const blockBytes = 512;

/**
 * A tar archive (POSIX ustar) of files: in the order given, owned by root, all from one time, without folders of
 * their own. The same entries give the same bytes everywhere, which tar programs of different versions do not.
 */
export function writeTar(entries: readonly ArchiveEntry[], modifiedAt: Date): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const entry of entries) {
    blocks.push(header(entry, modifiedAt), entry.content);
    const rest = entry.content.length % blockBytes;
    if (rest > 0) blocks.push(new Uint8Array(blockBytes - rest));
  }
  blocks.push(new Uint8Array(2 * blockBytes));
  return Buffer.concat(blocks);
}

function header({ name, content, isExecutable }: ArchiveEntry, modifiedAt: Date): Uint8Array {
  if (Buffer.byteLength(name) > 100) throw new Error(`a name of over 100 bytes does not fit: ${name}`);
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  };
  block.write(name, 0, "utf8");
  octal(isExecutable ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(content.length, 124, 12);
  octal(Math.floor(modifiedAt.getTime() / 1000), 136, 12);
  // The sum is made with spaces in its own place.
  block.write("        0", 148, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  block.write("root", 265, "latin1");
  block.write("root", 297, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** The regular files of a tar archive, long names included (GNU's and POSIX's). */
export function readTar(tar: Uint8Array): ArchiveEntry[] {
  const bytes = Buffer.from(tar.buffer, tar.byteOffset, tar.length);
  const entries: ArchiveEntry[] = [];
  let longName: string | null = null;
  for (let at = 0; at + blockBytes <= bytes.length;) {
    const block = bytes.subarray(at, at + blockBytes);
    const name = text(block, 0, 100);
    if (name === "") break;
    const size = Number.parseInt(text(block, 124, 12), 8);
    const kind = String.fromCharCode(block[156] ?? 0);
    const content = bytes.subarray(at + blockBytes, at + blockBytes + size);
    if (kind === "L") longName = text(content, 0, content.length);
    else if (kind === "x") longName = /\d+ path=([^\n]*)\n/.exec(content.toString())?.[1] ?? longName;
    else {
      const prefix = text(block, 257, 5) === "ustar" ? text(block, 345, 155) : "";
      const full = longName ?? (prefix === "" ? name : `${prefix}/${name}`);
      longName = null;
      const isExecutable = (Number.parseInt(text(block, 100, 8), 8) & 0o100) !== 0;
      if (kind === "0" || kind === "\0")
        entries.push({ name: full.replace(/^\.\//, ""), content, isExecutable });
    }
    at += blockBytes + Math.ceil(size / blockBytes) * blockBytes;
  }
  return entries;
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString("utf8");
}
