import { Buffer, isUtf8 } from "node:buffer";
import { readFile, stat } from "node:fs/promises";

/** A file's text, or why there is none, as half a sentence that names the file. */
export type FileReading =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly isMissing: boolean; readonly message: string };

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ELOOP: "its symbolic links lead in a circle",
};

/**
 * Reads a file that must be UTF-8; a byte order mark at its start is dropped. Never throws.
 *
 * @param shown The file as messages name it.
 */
export async function readTextFile(path: string, shown: string): Promise<FileReading> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // The system's own words hold the path; only where there is no code are they all there is.
    const reason = reasons[code ?? ""] ?? code ?? (shown === path ? message : "the system refuses its name");
    return { ok: false, isMissing: code === "ENOENT", message: `cannot read ${shown}: ${reason}` };
  }
  // A strict TextDecoder would say no more, and takes longer.
  if (isUtf8(bytes)) {
    const hasMark = bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark);
    return { ok: true, text: bytes.toString("utf8", hasMark ? byteOrderMark.length : 0) };
  }
  const offset = firstBadByte(bytes);
  return {
    ok: false,
    isMissing: false,
    message: `${shown} is not UTF-8: the byte at offset ${offset} is wrong`,
  };
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Whether what stands there can be read once only, as a pipe; false where nothing does. */
export async function isReadOnce(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && !found.isFile();
}

/** Offset of the first byte that cannot stand there in UTF-8; the decoder itself does not tell. */
function firstBadByte(bytes: Uint8Array): number {
  const isGood = (length: number): boolean => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (middle <= bytes.length && isGood(middle)) good = middle;
    else bad = middle;
  }
  // When every prefix is good the text breaks off inside its last character.
  return Math.min(bad - 1, Math.max(0, bytes.length - 1));
}
