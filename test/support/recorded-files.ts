import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { realFiles } from "../../src/queue/drivers/file/files.ts";
import type { Files } from "../../src/queue/drivers/file/files.ts";

/** One call that changes what is on the disk; paths by their last part. */
type Step =
  | { readonly kind: "create" | "remove"; readonly name: string }
  | { readonly kind: "write"; readonly name: string; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "sync"; readonly name: string }
  | { readonly kind: "syncFolder" };

/** Files that remember every call, so that any power cut can be played back. */
export interface RecordedFiles extends Files {
  /** Calls made so far. */
  readonly steps: readonly Step[];
  /**
   * Writes into a folder what a disk may hold when the power fails after so many calls: everything synced, and of what
   * was not, any sectors of 512 bytes, and any of the files made or removed.
   */
  restore(folder: string, storeFile: string, steps: number, random: () => number): void;
}

const sector = 512;

export function recordFiles(): RecordedFiles {
  const steps: Step[] = [];
  const names = new Map<number, string>();
  const isJournal = (name: string): boolean => name.endsWith(".log");

  return {
    ...realFiles,
    steps,
    async open(path, flags) {
      const fd = await realFiles.open(path, flags);
      const name = basename(path);
      names.set(fd, name);
      if (flags === "wx+" && isJournal(name)) steps.push({ kind: "create", name });
      return fd;
    },
    async write(fd, from, position) {
      const name = names.get(fd) ?? "";
      const count = await realFiles.write(fd, from, position);
      if (isJournal(name))
        steps.push({ kind: "write", name, position, bytes: Uint8Array.from(from.subarray(0, count)) });
      return count;
    },
    async sync(fd) {
      await realFiles.sync(fd);
      steps.push({ kind: "sync", name: names.get(fd) ?? "" });
    },
    async remove(path) {
      await realFiles.remove(path);
      if (isJournal(basename(path))) steps.push({ kind: "remove", name: basename(path) });
    },
    async syncFolder(path) {
      await realFiles.syncFolder(path);
      steps.push({ kind: "syncFolder" });
    },
    restore(folder, storeFile, count, random) {
      const done = steps.slice(0, count);
      const lastFolderSync = done.findLastIndex(({ kind }) => kind === "syncFolder");
      const lastSync = new Map<string, number>();
      for (const [at, step] of done.entries()) if (step.kind === "sync") lastSync.set(step.name, at);
      const contents = new Map<string, Buffer>();
      for (const [at, step] of done.entries()) {
        if (step.kind === "create") {
          if (at < lastFolderSync || random() < 0.5) contents.set(step.name, Buffer.alloc(0));
        } else if (step.kind === "remove") {
          if (at < lastFolderSync || random() < 0.5) contents.delete(step.name);
        } else if (step.kind === "write") {
          const content = contents.get(step.name);
          if (content === undefined) continue;
          const isSafe = at < (lastSync.get(step.name) ?? -1);
          contents.set(step.name, applyWrite(content, step.position, step.bytes, isSafe ? () => 0 : random));
        }
      }
      mkdirSync(join(folder, "journal"), { recursive: true });
      writeFileSync(join(folder, "store.json"), readFileSync(storeFile));
      for (const [name, content] of contents) writeFileSync(join(folder, "journal", name), content);
    },
  };
}

/** Sector by sector, each written or not. */
function applyWrite(content: Buffer, position: number, bytes: Uint8Array, random: () => number): Buffer {
  let result = content;
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + sector - ((position + from) % sector));
    if (random() < 0.6) {
      const end = position + to;
      if (end > result.length) result = Buffer.concat([result, Buffer.alloc(end - result.length)]);
      result.set(bytes.subarray(from, to), position + from);
    }
    from = to;
  }
  return result;
}
