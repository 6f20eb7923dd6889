import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../src/cli/commands.ts";
import { completions } from "../../src/cli/completion.ts";
import { manPage } from "../../src/cli/man-page.ts";
import { jsonSchema } from "../../src/config/json-schema.ts";
import type { Revision } from "./revision.ts";
import { runtimeVersion, type Target } from "./targets.ts";

/** What all parts of a release say of themselves. */
export interface ReleaseFacts {
  readonly root: string;
  readonly version: string;
  readonly revision: Revision;
  /** The text of `hookline licenses`. */
  readonly licenses: string;
}

/** The manual page. */
export const manualPage = ({ version, revision }: ReleaseFacts): string =>
  manPage(commands, { version, date: revision.date });

/** The completion for a shell. */
export function completionFor(shell: "bash" | "zsh" | "fish"): string {
  const write = completions[shell];
  if (write === undefined) throw new Error(`no completion for ${shell}`);
  return write(commands);
}

/** JSON Schema of the configuration. */
export const schemaText = (): string => `${JSON.stringify(jsonSchema(), null, 2)}\n`;

/** hookline's own licence. */
export const ownLicense = ({ root }: ReleaseFacts): string => readFileSync(join(root, "LICENSE"), "utf8");

/** The files of an archive beside the executable, as `[name, text]`. */
export function companions(facts: ReleaseFacts): readonly (readonly [string, string])[] {
  return [
    ["LICENSE", ownLicense(facts)],
    ["THIRD-PARTY-LICENSES", facts.licenses],
    ["hookline.1", manualPage(facts)],
    ["completions/hookline.bash", completionFor("bash")],
    ["completions/_hookline", completionFor("zsh")],
    ["completions/hookline.fish", completionFor("fish")],
    ["hookline.schema.json", schemaText()],
  ];
}

/** A file of a release with its size, for the notes. */
export interface ReleaseFile {
  readonly name: string;
  readonly bytes: number;
  readonly target: Target | null;
}

/** The text that stands beside the files of a release: what changed, what each file is, and which of them no test has run. */
export function releaseNotes(facts: ReleaseFacts, files: readonly ReleaseFile[]): string {
  const { version, revision } = facts;
  const rows = files.map(({ name, bytes, target }) => {
    const tested = target === null ? "" : (target.tested ?? "**not run by any test**");
    return `| ${name} | ${(bytes / 1e6).toFixed(1)} MB | ${tested} |`;
  });
  return `# hookline ${version}

Commit ${revision.commit}, of ${revision.date}, with Bun ${runtimeVersion} inside.

| file | size | tests |
|---|---|---|
${rows.join("\n")}

\`sha256sum -c --ignore-missing SHA256SUMS\` checks what was downloaded. \`scripts/verify-release FILE\`, in a clone of the
repository, builds the commit again and compares the bytes. The sums of Debian packages also depend on the version of
dpkg-deb; what is in them does not.

${changesOf(readFileSync(join(facts.root, "CHANGELOG.md"), "utf8"), version)}`;
}

/** The section of a version in the changelog; that of what is not released yet where it has none. */
export function changesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const find = (name: string): string | undefined =>
    sections.find((section) => section.startsWith(`[${name}]`));
  const section = find(version) ?? find("Unreleased");
  if (section === undefined) throw new Error(`CHANGELOG.md has no section [${version}] and no [Unreleased]`);
  return `## ${section.trim()}\n`;
}
