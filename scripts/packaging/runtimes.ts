import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { readTar } from "./tar.ts";
import { runtimeVersion, type Target } from "./targets.ts";

/**
 * Puts the Bun of a target into `folder` and returns its path.
 *
 * The package comes from the npm registry and is kept in `cache`. Its SHA-512 is compared with the one pinned in
 * targets.ts each time it is used, so neither the registry nor the cache can change what a release is made of.
 */
export function placeRuntime(target: Target, cache: string, folder: string): string {
  const archive = join(
    cache,
    `${target.runtimePackage.replaceAll(/[^a-z0-9-]/g, "_")}-${runtimeVersion}.tgz`,
  );
  if (!existsSync(archive) || !isPinned(target, archive)) download(target, cache, archive);
  const found = integrityOf(archive);
  if (found !== target.integrity) {
    rmSync(archive);
    throw new Error(
      `${target.runtimePackage} ${runtimeVersion} from the registry is not the one that is pinned:\n` +
        `  expected ${target.integrity}\n  got      ${found}`,
    );
  }
  const entry = readTar(gunzipSync(readFileSync(archive))).find(({ name }) =>
    /^package\/bin\/bun(\.exe)?$/.test(name),
  );
  if (entry === undefined) throw new Error(`${target.runtimePackage} contains no bin/bun`);
  const path = join(folder, `runtime-${target.name}`);
  writeFileSync(path, entry.content, { mode: 0o755 });
  return path;
}

const integrityOf = (file: string): string =>
  `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;

const isPinned = (target: Target, file: string): boolean => integrityOf(file) === target.integrity;

/** Appears under its name in one step: two releases at once may want the same one. */
function download(target: Target, cache: string, archive: string): void {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "download-"));
  try {
    const spec = `${target.runtimePackage}@${runtimeVersion}`;
    const { status, stderr } = spawnSync("npm", ["pack", spec, "--silent", "--pack-destination", folder], {
      encoding: "utf8",
    });
    const file = readdirSync(folder)[0];
    if (status !== 0 || file === undefined) throw new Error(`npm could not download ${spec}:\n${stderr}`);
    renameSync(join(folder, file), archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
