import manifest from "../package.json" with { type: "json" };

/** hookline's version, from package.json; compiled into the executable. */
export const version: string = manifest.version;
