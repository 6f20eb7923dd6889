import { realFiles } from "../../src/queue/drivers/file/files.ts";
import type { Files } from "../../src/queue/drivers/file/files.ts";

/** A disk of so many bytes; what others take of it can be changed. */
export interface LimitedFiles extends Files {
  /** Bytes that are not this store's to use. */
  taken: number;
  readonly used: number;
}

/**
 * The real files on a disk that fills up as ext4 does: a write that does not fit is written in part and says how much,
 * the next one fails with ENOSPC (runtime-facts §13).
 */
export function createLimitedFiles(totalBytes: number): LimitedFiles {
  const sizes = new Map<string, number>();
  const paths = new Map<number, string>();
  const used = (): number => [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const free = (): number => totalBytes - files.taken - used();

  const files: LimitedFiles = {
    ...realFiles,
    taken: 0,
    get used() {
      return used();
    },
    async open(path, flags) {
      const fd = await realFiles.open(path, flags);
      paths.set(fd, path);
      if (flags !== "r") sizes.set(path, await realFiles.size(path));
      return fd;
    },
    async write(fd, from, position) {
      const path = paths.get(fd) ?? "";
      const size = sizes.get(path) ?? 0;
      const growth = Math.max(0, position + from.length - size);
      const fits = Math.min(growth, Math.max(0, free()));
      const count = from.length - (growth - fits);
      if (count <= 0)
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      const written = await realFiles.write(fd, from.subarray(0, count), position);
      sizes.set(path, Math.max(size, position + written));
      return written;
    },
    async remove(path) {
      await realFiles.remove(path);
      sizes.delete(path);
    },
    freeBytes: async () => Math.max(0, free()),
  };
  return files;
}
