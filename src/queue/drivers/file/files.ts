import fs from "node:fs";

/** The few calls that the store makes to the file system; tests put failing ones in their place. */
export interface Files {
  open(path: string, flags: "r" | "r+" | "wx+"): Promise<number>;
  /** Bytes read; fewer than asked for at the end of the file. */
  read(fd: number, into: Uint8Array, length: number, position: number): Promise<number>;
  /** Bytes written; may be fewer than given, without an error (a full disk does that). */
  write(fd: number, from: Uint8Array, position: number): Promise<number>;
  /** fdatasync. After it has failed once nothing more is known of the file: never call it again. */
  sync(fd: number): Promise<void>;
  truncate(fd: number, length: number): Promise<void>;
  size(path: string): Promise<number>;
  close(fd: number): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes entries made and removed in a folder last. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that this process may still write there. */
  freeBytes(path: string): Promise<number>;
}

/** node:fs with callbacks: its file handles would close themselves when they are garbage-collected. */
export const realFiles: Files = {
  open: (path, flags) => settle((done) => fs.open(path, flags, 0o600, done)),
  read: (fd, into, length, position) =>
    settle((done) => fs.read(fd, into, 0, length, position, (error, count) => done(error, count))),
  write: (fd, from, position) =>
    settle((done) => fs.write(fd, from, 0, from.length, position, (error, count) => done(error, count))),
  sync: (fd) => settle<void>((done) => fs.fdatasync(fd, done)),
  truncate: (fd, length) => settle<void>((done) => fs.ftruncate(fd, length, done)),
  size: async (path) => (await fs.promises.stat(path)).size,
  close: (fd) => settle<void>((done) => fs.close(fd, done)),
  remove: (path) => fs.promises.unlink(path),
  async syncFolder(path) {
    const fd = await realFiles.open(path, "r");
    try {
      await settle<void>((done) => fs.fsync(fd, done));
    } finally {
      await realFiles.close(fd);
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await fs.promises.statfs(path);
    return bavail * bsize;
  },
};

function settle<T>(call: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error)));
  });
}

/** Writes all of it, however few bytes a call takes. */
export async function writeAll(files: Files, fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await files.write(fd, bytes.subarray(written), position + written);
  }
}

/** Reads exactly so many bytes, or as many as there are. */
export async function readFully(
  files: Files,
  fd: number,
  into: Uint8Array,
  length: number,
  position: number,
): Promise<number> {
  let total = 0;
  while (total < length) {
    const count = await files.read(fd, into.subarray(total), length - total, position + total);
    if (count === 0) break;
    total += count;
  }
  return total;
}
