import { closeSync, openSync, writeSync } from "node:fs";

/** How the fragile disk is now (fragile-disk.ts). */
export interface DiskState {
  readonly disk: "well" | "full" | "EIO on write" | "EIO on sync" | "short writes";
  /** How long each sync takes beyond its own time. */
  readonly delayMs: number;
}

/** The length of the control file, always the same, so that a reader never sees a part of it. */
export const diskStateBytes = 128;

/** Sets what a fragile disk's process reads at its next call. */
export function setDisk(control: string, state: DiskState): void {
  const fd = openSync(control, "a+");
  closeSync(fd);
  const writer = openSync(control, "r+");
  writeSync(writer, Buffer.from(JSON.stringify(state).padEnd(diskStateBytes)), 0, diskStateBytes, 0);
  closeSync(writer);
}
