import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

/** A package of which code is inside the executable. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, as its package.json says. */
  readonly license: string;
  /** Folder of its package.json, relative to the repository. */
  readonly folder: string;
  /** Its licence and notice files, whole; empty when it ships none. */
  readonly texts: readonly string[];
}

/** What Bun.build's metafile says of the bundle, as far as it matters here. */
export interface BundleReport {
  readonly outputs: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>> }>
  >;
}

/** The packages that left at least one byte in the bundle, by name and version. A file that was tree-shaken away does not count. */
export function bundledPackages(root: string, report: BundleReport): BundledPackage[] {
  const folders = new Set<string>();
  for (const { inputs } of Object.values(report.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
      // The report names files from the working directory, which need not be the repository.
      if (folder !== undefined && bytesInOutput > 0) folders.add(relative(root, resolve(folder)));
    }
  }
  const packages = [...folders].map((folder) => readPackage(root, folder));
  return packages.sort((a, b) => compare(`${a.name}@${a.version}`, `${b.name}@${b.version}`));
}

/** The package whose package.json is in this folder of the repository. */
export function readPackage(root: string, folder: string): BundledPackage {
  const { name, version, license } = JSON.parse(
    readFileSync(join(root, folder, "package.json"), "utf8"),
  ) as Record<"name" | "version" | "license", unknown>;
  if (typeof name !== "string" || typeof version !== "string" || typeof license !== "string") {
    throw new Error(`${folder}/package.json names no version or no licence: say which in scripts/packaging`);
  }
  const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const texts = files.sort(compare).map((file) => readFileSync(join(root, folder, file), "utf8"));
  return { name, version, license, folder, texts };
}

/**
 * The text of `hookline licenses`: hookline's own licence, the runtime's notice, then every bundled package.
 *
 * A text that several packages share stands once, under all of their names.
 */
export function licenseText(root: string, packages: readonly BundledPackage[]): string {
  const holders = new Map<string, BundledPackage[]>();
  for (const part of packages) {
    const text = part.texts.map(normalize).join("\n\n");
    holders.set(text, [...(holders.get(text) ?? []), part]);
  }
  const sections = [...holders].map(([text, parts]) => {
    const names = parts.map(({ name, version, license }) => `${name} ${version} (${license})`);
    return section(names, text === "" ? "The package ships no text of its licence." : text);
  });
  return [
    section(["hookline"], normalize(readFileSync(join(root, "LICENSE"), "utf8"))),
    section(["Bun, the runtime inside"], normalize(readFileSync(noticeFile(root), "utf8"))),
    ...sections,
  ].join("\n\n");
}

const rule = "=".repeat(80);
const section = (names: readonly string[], text: string): string =>
  `${rule}\n${names.join("\n")}\n${rule}\n\n${text}\n`;

function noticeFile(root: string): string {
  const file = join(root, "scripts", "packaging", "runtime-notice.txt");
  if (!existsSync(file)) throw new Error(`${file} is missing: it says what is linked into the runtime`);
  return file;
}

/** The same licence with other line ends is the same licence. */
const normalize = (text: string): string => text.replaceAll("\r\n", "\n").trim();

/** By code unit: a locale must not decide the order of bytes in a release. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
