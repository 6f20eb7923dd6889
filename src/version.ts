import manifest from "../package.json" with { type: "json" };

/** This hookline's version, as in package.json: in `user-agent`, /health and `hookline version`. */
export const version: string = manifest.version;
