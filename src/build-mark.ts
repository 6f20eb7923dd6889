/** What stands in front of the mark, so that it is found in the bytes of an executable of any platform. */
export const markStart = "hookline-build ";

/** What an executable says of its making. */
export interface BuildMark {
  /** The commit, 40 hex digits; null when the sources were no commit's. */
  readonly commit: string | null;
  /** When that was committed, ISO 8601 in UTC. */
  readonly date: string | null;
  /** The release's name of the platform, as linux-x64-musl; null for a build for this machine. */
  readonly target: string | null;
}

/** One line that stands in the executable: `hookline-build COMMIT DATE TARGET `, `-` for what is not known. */
export function buildMark(
  revision: { readonly commit: string; readonly date: string } | null,
  target: string | null,
): string {
  return `${markStart}${revision?.commit ?? "-"} ${revision?.date ?? "-"} ${target ?? "-"} `;
}

/** Reads such a line; null when the text is none. */
export function parseBuildMark(text: string): BuildMark | null {
  const match = /^hookline-build ([0-9a-f]{40}|-) (\d{4}-[0-9T:-]+Z|-) ([a-z0-9-]+) /.exec(text);
  if (match === null) return null;
  const [commit = null, date = null, target = null] = match
    .slice(1)
    .map((word) => (word === "-" ? null : word));
  return { commit, date, target };
}
