import type { App, Directory, Endpoint } from "../delivery/endpoint.ts";
import type { EndpointChanges } from "../delivery/live.ts";
import { knownEndpoints, type EntryChanges } from "./compile.ts";
import { readRecordKey } from "./entry.ts";

/**
 * What becomes of endpoints when these entries change. Of an app that nobody has asked for yet there is nothing to
 * tell, because nothing is derived from it.
 *
 * @param isFew Tell of the endpoints of new apps too, which makes them.
 */
export function changesOf(
  before: Directory,
  after: Directory,
  changes: EntryChanges,
  isFew: boolean,
): EndpointChanges {
  const old = new Map<string, Endpoint>();
  const next = new Map<string, Endpoint>();
  const note = (into: Map<string, Endpoint>, endpoints: readonly Endpoint[]): void => {
    for (const endpoint of endpoints) into.set(endpoint.label, endpoint);
  };
  for (const [key] of changes) {
    const named = readRecordKey(key);
    if (named === null) continue;
    if (named.kind === "endpoint") {
      const [was, is] = [before.findEndpoint(null, named.name), after.findEndpoint(null, named.name)];
      if (was === is) continue;
      if (was !== null) old.set(was.label, was);
      if (is !== null) next.set(is.label, is);
      continue;
    }
    const [was, is] = [before.findApp(named.name, null), after.findApp(named.name, null)];
    if (was === is) continue;
    const known = was === null ? [] : knownEndpoints(was);
    note(old, known ?? []);
    if (is !== null && (isFew || (known !== null && known.length > 0))) note(next, endpointsOf(is));
  }
  return {
    added: [...next.values()].filter(({ label }) => !old.has(label)),
    changed: [...next.values()].flatMap((endpoint) => {
      const was = old.get(endpoint.label);
      return was === undefined ? [] : [{ before: was, after: endpoint }];
    }),
    removed: [...old.values()].filter(({ label }) => !next.has(label)),
  };
}

/** None where a newer version wrote it: then its jobs are put back. */
function endpointsOf(app: App): readonly Endpoint[] {
  try {
    return app.endpoints;
  } catch {
    return [];
  }
}
