import { configSchema } from "./schema.ts";
import { envMetadataOf, knownPaths, nodeAt } from "./schema-tree.ts";
import type { EnvRank } from "./setting.ts";

/** The key that a name of the environment stands for. */
export interface NamedKey {
  readonly path: readonly string[];
  readonly rank: EnvRank;
}

/**
 * The names of environment variables that have a meaning of their own (contract §2), each with its key, as the
 * settings state them: the project's short ones, and those that Sockudo and Soketi already use. Every key also has its
 * general name, `HOOKLINE_` + path with `__` between the parts (env.ts).
 */
export const envNames: ReadonlyMap<string, NamedKey> = new Map(
  knownPaths(configSchema).flatMap((path) => {
    const node = nodeAt(configSchema, path);
    return node === undefined
      ? []
      : envMetadataOf(node).map(([name, rank]) => [name, { path, rank }] as const);
  }),
);

/** HOOKLINE_ names that are no keys: the configuration file, and the server that the CLI asks. */
export const otherEnvNames: ReadonlySet<string> = new Set(["HOOKLINE_CONFIG", "HOOKLINE_URL"]);

/**
 * Whether a variable is one that Kubernetes sets for a Service named like us (a Service `hookline` gives
 * HOOKLINE_PORT=tcp://10.0.0.7:9640), and so none of ours. Kubernetes documentation, "Discovering
 * services: environment variables".
 */
export function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_HOST$|_SERVICE_PORT(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/.test(name)) return true;
  return name.endsWith("_PORT") && /^(?:tcp|udp|sctp):\/\//.test(value);
}
