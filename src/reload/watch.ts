import { stat } from "node:fs/promises";

/** Looks after files by their stat, which follows symbolic links: a ConfigMap is changed by swapping one. */
export interface FileWatch {
  /** Starts or stops looking. */
  setOn(isOn: boolean): void;
  close(): void;
}

export interface FileWatchOptions {
  /** Absolute paths. */
  readonly files: () => readonly string[];
  /** Called when the files differ from what they were at the last call, and are not being written. Once at first. */
  readonly onChange: () => Promise<unknown>;
  readonly everyMs?: number;
  /** So long a file must stay as it is before it counts as written. */
  readonly settleMs?: number;
}

/**
 * Tells of files that were changed in any way: written, replaced by rename, reached over another symbolic link, with
 * other rights.
 *
 * A file that is being written, or gone for the moment of its replacement, is looked at again a little later. One
 * that stays away counts as changed.
 */
export function createFileWatch(options: FileWatchOptions): FileWatch {
  const { files, onChange, everyMs = 2_000, settleMs = 200 } = options;
  let known: string | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isOn = false;

  const schedule = (ms: number, seen: string | null): void => {
    if (isOn) timer = setTimeout(() => void look(seen), ms);
  };
  /** @param seen What stood there at the look before, where that was something new. */
  const look = async (seen: string | null): Promise<void> => {
    const now = await describe(files());
    if (!isOn) return;
    if (now === known) return schedule(everyMs, null);
    if (now !== seen) return schedule(now.includes(gone) ? everyMs : settleMs, now);
    known = now;
    await onChange();
    schedule(everyMs, null);
  };

  const setOn = (next: boolean): void => {
    if (next === isOn) return;
    isOn = next;
    if (timer !== null) clearTimeout(timer);
    timer = null;
    schedule(0, null);
  };
  return { setOn, close: () => setOn(false) };
}

const gone = "gone";

/** What tells two states of the files apart. */
async function describe(files: readonly string[]): Promise<string> {
  const parts = files.map(async (file) => {
    try {
      const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
      return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
    } catch (error) {
      const { code = "unknown" } = error as { code?: string };
      return code === "ENOENT" ? gone : code;
    }
  });
  return (await Promise.all(parts)).join("\n");
}
