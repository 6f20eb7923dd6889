import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { damaged, refused } from "./damage.ts";
import { realFiles } from "./files.ts";
import type { Files } from "./files.ts";
import { formatVersion, isSegmentName } from "./segment.ts";

/** What store.json says. */
interface StoreFile {
  readonly format: number;
  readonly id: string;
}

/** Linux's numbers of file systems that are not on this machine's own disks (statfs(2), and their own headers). */
const remote: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB2",
  0x65735546: "FUSE",
  0x01021997: "9P",
  0x00c36400: "Ceph",
  0x5346414f: "AFS",
  0x0bd00bd0: "Lustre",
  0x47504653: "GPFS",
  0x7461636f: "OCFS2",
};
/** tmpfs and ramfs: gone with the machine's power. */
const volatile = new Set([0x01021994, 0x858458f6]);

/**
 * Makes the folder of a store where there is none, and sees that it can be used.
 *
 * @throws ConfigError for a folder that cannot be written, belongs to another user, or is on a network or FUSE file system.
 */
export async function prepareFolder(
  folder: string,
  allowNetworkFs: boolean,
): Promise<{ readonly isVolatile: boolean }> {
  if (process.platform === "win32")
    throw refused("the driver file has not been tested on Windows, and is refused there");
  try {
    await fs.promises.mkdir(join(folder, "journal"), { recursive: true, mode: 0o700 });
    await fs.promises.access(folder, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    await fs.promises.access(
      join(folder, "journal"),
      fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK,
    );
  } catch (error) {
    throw refused(`${folder} cannot be used: ${(error as Error).message}`);
  }
  await refuseForeign(folder);
  const { type } = await fs.promises.statfs(folder);
  const kind = remote[type >>> 0];
  if (kind !== undefined && !allowNetworkFs) {
    throw refused(
      `${folder} is on ${kind}, where a sync and a lock may not hold what they promise: use a disk of this machine, or set queue.file.allow_network_fs`,
    );
  }
  return { isVolatile: volatile.has(type >>> 0) };
}

/**
 * Refuses a store of another user. Root could open it, and would leave files behind that its owner cannot open.
 *
 * The folder itself may be somebody else's: what a volume's root belongs to, nobody here has chosen.
 */
async function refuseForeign(folder: string): Promise<void> {
  const path = join(folder, "store.json");
  const owner = await fs.promises.stat(path).then(
    ({ uid }) => uid,
    () => null,
  );
  const own = process.geteuid?.() ?? null;
  if (owner === null || own === null || owner === own) return;
  throw refused(
    `${folder} belongs to the user ${owner}, and this process runs as ${own}: start it as that user, or give the files to this one with chown -R`,
  );
}

/** The id of the store in a folder; a new one where there is no store yet. */
export async function readStoreId(folder: string, files: Files = realFiles): Promise<string> {
  const path = join(folder, "store.json");
  let text: string;
  try {
    text = await fs.promises.readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    const segments = await listSegments(folder);
    if (segments.length > 0) throw damaged(path, null, "the file is missing, but there is a journal");
    return await createStoreFile(folder, path, files);
  }
  const { format, id } = parseStoreFile(path, text);
  if (format > formatVersion) {
    throw refused(
      `${path}: the store has format ${format}, and this version reads up to ${formatVersion}: use the newer hookline`,
    );
  }
  return id;
}

function parseStoreFile(path: string, text: string): StoreFile {
  let value: Partial<StoreFile> | null;
  try {
    value = JSON.parse(text) as Partial<StoreFile> | null;
  } catch {
    throw damaged(path, 0, "not JSON");
  }
  const { format, id } = value ?? {};
  if (!Number.isSafeInteger(format) || typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id)) {
    throw damaged(path, 0, "expected a format and an id");
  }
  return { format: format as number, id };
}

/** Written beside its name and then moved there, so that it is whole or not there. */
async function createStoreFile(folder: string, path: string, files: Files): Promise<string> {
  const id = randomBytes(16).toString("hex");
  const store: StoreFile = { format: formatVersion, id };
  const temporary = `${path}.new`;
  const handle = await fs.promises.open(temporary, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(store)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.promises.rename(temporary, path);
  await files.syncFolder(folder);
  return id;
}

/** The names of a store's segments, the oldest first. */
export async function listSegments(folder: string): Promise<string[]> {
  const names = await fs.promises.readdir(join(folder, "journal"));
  return names.filter(isSegmentName).sort();
}
