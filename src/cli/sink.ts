import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { CommandIo } from "./command.ts";

/** Where a command writes data that must not get lost on its way. */
export interface Sink {
  /** Resolves when all of it is where it stays: on the disk, or with the reader. Throws when it is not. */
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Longest wait of a timer: a reader may take its time. */
const anyTimeMs = 2_147_483_647;

/** Standard output, at its reader's pace: what is written faster than it is read would be dropped. */
export function pipeSink({ stdout }: Pick<CommandIo, "stdout">): Sink {
  return {
    async write(text) {
      stdout.writeData(text);
      await stdout.flush(anyTimeMs);
      if (stdout.failure !== null) throw stdout.failure;
    },
    close: () => Promise.resolve(),
  };
}

/** A new file. Rejects with a sentence where there is one already: it may be all that is left of what it holds. */
export async function openFileSink(path: string): Promise<Sink> {
  const handle = await open(path, "wx").catch((error: unknown) => {
    const { code } = error as { code?: string };
    throw new Error(
      code === "EEXIST" ? `${path} exists already; name another file` : `${path}: ${String(code)}`,
      { cause: error },
    );
  });
  // Its name must survive a crash of the machine as well.
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return {
    async write(text) {
      const bytes = Buffer.from(text);
      // On a full disk a write takes a part of it, without an error.
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, null);
        if (bytesWritten === 0) throw new Error(`${path}: nothing more can be written`);
        at += bytesWritten;
      }
      await handle.sync();
    },
    close: () => handle.close(),
  };
}
