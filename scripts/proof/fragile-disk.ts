/**
 * Loaded before src/main.ts (`bun --preload`): a disk of the worst kind for the file driver.
 *
 * What was written and not synced stays in this process: SIGKILL is then a power cut that takes all of it. It also
 * fails as the control file, named by PROOF_DISK, says at that moment.
 */
import { fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { realFiles } from "../../src/queue/drivers/file/files.ts";
import { diskStateBytes } from "./faults/disk-state.ts";
import type { DiskState } from "./faults/disk-state.ts";

interface Unsynced {
  readonly position: number;
  readonly bytes: Uint8Array;
}

const real = { ...realFiles };
const paths = new Map<number, string>();
const unsynced = new Map<string, Unsynced[]>();
// Kept open: it is read where the process has no descriptor left, too.
const control = openSync(process.env["PROOF_DISK"] ?? "", "r");

const state = (): DiskState => {
  const into = Buffer.alloc(diskStateBytes);
  return JSON.parse(into.toString("utf8", 0, readSync(control, into, 0, diskStateBytes, 0))) as DiskState;
};
const pathOf = (fd: number): string => paths.get(fd) ?? "";
const pendingOf = (path: string): Unsynced[] => unsynced.get(path) ?? [];
const fail = (code: string, call: string): never => {
  throw Object.assign(new Error(`${code}: ordered by the proof, ${call}`), { code });
};

Object.assign(realFiles, {
  async open(path, flags) {
    const fd = await real.open(path, flags);
    paths.set(fd, path);
    return fd;
  },
  async read(fd, into, length, position) {
    const pending = pendingOf(pathOf(fd));
    let count = await real.read(fd, into, length, position);
    for (const { position: at, bytes } of pending) {
      const from = Math.max(position, at);
      const to = Math.min(position + length, at + bytes.length);
      if (from >= to) continue;
      // Between the end of the file and the first byte that was written behind it are zeros.
      if (from - position > count) into.fill(0, count, from - position);
      into.set(bytes.subarray(from - at, to - at), from - position);
      count = Math.max(count, to - position);
    }
    return count;
  },
  async write(fd, from, position) {
    const { disk } = state();
    if (disk === "EIO on write") fail("EIO", "write");
    if (disk === "full") fail("ENOSPC", "write");
    const count = disk === "short writes" ? Math.max(1, Math.floor(from.length / 3)) : from.length;
    const path = pathOf(fd);
    unsynced.set(path, [...pendingOf(path), { position, bytes: Uint8Array.from(from.subarray(0, count)) }]);
    return count;
  },
  async sync(fd) {
    const { disk, delayMs } = state();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (disk === "EIO on sync") fail("EIO", "fdatasync");
    const path = pathOf(fd);
    const pending = pendingOf(path);
    unsynced.set(path, []);
    for (const { position, bytes } of pending) writeSync(fd, bytes, 0, bytes.length, position);
    await real.sync(fd);
  },
  async truncate(fd, length) {
    await real.truncate(fd, length);
    const kept = pendingOf(pathOf(fd)).flatMap(({ position, bytes }) =>
      position >= length ? [] : [{ position, bytes: bytes.subarray(0, length - position) }],
    );
    unsynced.set(pathOf(fd), kept);
  },
  async size(path) {
    const ends = pendingOf(path).map(({ position, bytes }) => position + bytes.length);
    return Math.max(await real.size(path), ...ends);
  },
  async close(fd) {
    // What is left of the last group reaches a disk that keeps its power.
    const path = pathOf(fd);
    const isLast = [...paths.values()].filter((each) => each === path).length === 1;
    if (isLast && pendingOf(path).length > 0) {
      for (const { position, bytes } of pendingOf(path)) writeSync(fd, bytes, 0, bytes.length, position);
      fdatasyncSync(fd);
      unsynced.delete(path);
    }
    paths.delete(fd);
    await real.close(fd);
  },
  async remove(path) {
    unsynced.delete(path);
    await real.remove(path);
  },
  freeBytes: async (path) => (state().disk === "full" ? 0 : await real.freeBytes(path)),
} satisfies Partial<typeof realFiles>);
