import { copyFile, link, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../../errors.ts";
import { listSegments } from "./folder.ts";

/** Cleaning removes a segment every few seconds at most; so many times it cannot come between. */
const mostTries = 20;

/**
 * Copies a store while a process may go on with it. The copy is a store; returns how many segments it has.
 *
 * Every segment is hard-linked first, which takes no time and keeps what cleaning removes; when the oldest went
 * meanwhile, all begins anew, because what moved out of it may stand behind what was linked. Then the links are made copies.
 * The last segment may end in the middle of a record: a start cuts that off.
 *
 * @throws UsageError when the folder is not empty, or on another file system than the store.
 */
export async function backUpStore(folder: string, to: string): Promise<number> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  if ((await readdir(to)).length > 0) throw new UsageError(`${to} is not empty: give a folder that is new`);
  const links = join(folder, "backup.links");
  for (let tries = 1; ; tries += 1) {
    await rm(links, { recursive: true, force: true });
    await mkdir(links, { mode: 0o700 });
    const names = await linkAll(folder, links);
    if (names !== null) {
      await mkdir(join(to, "journal"), { mode: 0o700 });
      for (const name of names) await copyFile(join(links, name), join(to, "journal", name));
      await copyFile(join(folder, "store.json"), join(to, "store.json"));
      await rm(links, { recursive: true });
      return names.length;
    }
    if (tries === mostTries)
      throw new Error(`the store's segments changed ${mostTries} times while they were linked`);
  }
}

/** The names linked; null when the oldest went meanwhile. */
async function linkAll(folder: string, links: string): Promise<string[] | null> {
  const names = await listSegments(folder);
  for (const name of names) {
    try {
      await link(join(folder, "journal", name), join(links, name));
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return null;
      throw error;
    }
  }
  const after = await listSegments(folder);
  return after[0] === names[0] ? names : null;
}
