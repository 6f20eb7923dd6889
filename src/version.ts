import manifest from "../package.json" with { type: "json" };
import { parseBuildMark, type BuildMark } from "./build-mark.ts";

/** hookline's version, from package.json; compiled into the executable. */
export const version: string = manifest.version;

/** Put in by scripts/packaging/compile.ts; the source as it stands does not have it. */
declare const HOOKLINE_BUILD: string | undefined;

/** The commit that the executable was built from, its date, and its platform; all null in the source. */
export const buildInfo: BuildMark = (typeof HOOKLINE_BUILD === "string"
  ? parseBuildMark(HOOKLINE_BUILD)
  : null) ?? { commit: null, date: null, target: null };
