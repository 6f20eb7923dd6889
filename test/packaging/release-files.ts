import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "../support/command.ts";

export const root = resolve(import.meta.dir, "..", "..");

/** The files of a release in a folder that is gone when it is disposed of. */
export interface ReleaseFiles extends Disposable {
  readonly folder: string;
  /** The path of the one file whose name ends so. */
  find(ending: string): string;
}

/** Makes a release of the commit that is checked out, by scripts/release, for these targets. */
export async function makeRelease(
  targets: readonly string[],
  options: { readonly tree?: string; readonly flags?: readonly string[] } = {},
): Promise<ReleaseFiles> {
  const folder = mkdtempSync(join(tmpdir(), "hookline-release-files-"));
  const script = join(options.tree ?? root, "scripts", "release");
  const flags = [...targets.flatMap((name) => ["--target", name]), ...(options.flags ?? [])];
  await run([script, ...flags, "--out", folder], {
    timeoutMs: 1_800_000,
    env: { HOOKLINE_RUNTIME_CACHE: join(root, ".tools", "runtimes") },
  });
  return {
    folder,
    find(ending) {
      const names = readdirSync(folder).filter((name) => name.endsWith(ending));
      if (names.length !== 1) throw new Error(`${names.length} files end in ${ending}: ${names.join(", ")}`);
      return join(folder, names[0] as string);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A code block of a section of README.md, by its language and place, from 0. */
export function readmeBlock(readme: string, section: string, language: string, index: number): string {
  const text = readme.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter((match) => match[1] === language);
  const block = blocks[index]?.[2];
  if (block === undefined) throw new Error(`README.md, ${section}: there is no ${language} block ${index}`);
  return block;
}
