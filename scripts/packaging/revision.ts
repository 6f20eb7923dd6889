import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";

/** The commit that a build stands for. */
export interface Revision {
  /** 40 hex digits. */
  readonly commit: string;
  /** When it was committed, ISO 8601 in UTC, to the second. A build has no other date. */
  readonly date: string;
}

/** Everything of the repository that the executable is made of. */
export const buildInputs: readonly string[] = [
  "src",
  "docs",
  "package.json",
  "bun.lock",
  "LICENSE",
  "scripts/build.ts",
  "scripts/packaging/compile.ts",
  "scripts/packaging/licenses.ts",
  "scripts/packaging/page.ts",
  "scripts/packaging/revision.ts",
  "scripts/packaging/runtime-notice.txt",
];

/**
 * The commit that is checked out; null where its build would not be this one: outside of git, or when a
 * file that the executable is made of was changed, added or removed since.
 *
 * Where there is no git, as in a container build, the variables HOOKLINE_COMMIT and HOOKLINE_COMMIT_DATE say it.
 */
export function readRevision(root: string, env: Readonly<NodeJS.ProcessEnv> = process.env): Revision | null {
  const top = git(root, ["rev-parse", "--show-toplevel"]);
  // A source archive unpacked inside of somebody's repository is not a checkout of that repository.
  if (top === null || realpathSync(top) !== realpathSync(root)) return revisionOf(env);
  if (git(root, ["status", "--porcelain", "--", ...buildInputs]) !== "") return null;
  return readCommit(root, "HEAD");
}

/** The commit of that name, with its date; null when the repository does not have it. */
export function readCommit(root: string, name: string): Revision | null {
  const line = git(root, ["show", "--no-patch", "--format=%H %ct", `${name}^{commit}`]);
  if (line === null) return null;
  const [commit = "", seconds] = line.split(" ");
  return { commit, date: isoSeconds(Number(seconds) * 1000) };
}

function revisionOf(env: Readonly<NodeJS.ProcessEnv>): Revision | null {
  const { HOOKLINE_COMMIT: commit = "", HOOKLINE_COMMIT_DATE: date = "" } = env;
  if (commit === "" && date === "") return null;
  const time = Date.parse(date);
  if (!/^[0-9a-f]{40}$/.test(commit) || Number.isNaN(time)) {
    throw new Error(
      `HOOKLINE_COMMIT must be 40 hex digits and HOOKLINE_COMMIT_DATE an ISO date, got "${commit}" and "${date}"`,
    );
  }
  return { commit, date: isoSeconds(time) };
}

/** A reader of the date must not think that it knows the millisecond. */
const isoSeconds = (time: number): string => new Date(time).toISOString().replace(/\.\d+Z$/, "Z");

/** What git prints, without the last line break; null when git is not there or fails. */
function git(root: string, args: readonly string[]): string | null {
  const { status, stdout } = spawnSync("git", ["--no-optional-locks", "-C", root, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? stdout.replace(/\n$/, "") : null;
}
