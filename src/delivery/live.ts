import type { Config } from "../config/schema.ts";
import type { App, Directory, Endpoint } from "./endpoint.ts";

/** What routes and limits jobs: the configuration, and the receivers compiled from it and from what the API stores. */
export interface InForce {
  readonly config: Config;
  readonly directory: Directory;
}

/** An endpoint that is another object since a replacement; its label stays, its settings need not differ. */
export interface ChangedEndpoint {
  readonly before: Endpoint;
  readonly after: Endpoint;
}

/** What a replacement changed. */
export interface LiveChange {
  readonly previous: InForce;
  /** In force from now on. */
  readonly next: InForce;
  /** Endpoints whose label was not there before. */
  readonly added: readonly Endpoint[];
  /** Endpoints whose label stays and which are other objects now. */
  readonly changed: readonly ChangedEndpoint[];
  /** Endpoints whose label is gone; the old ones. */
  readonly removed: readonly Endpoint[];
}

/**
 * The configuration and the receivers in force. Who keeps something that is derived from them reads them anew each
 * time, or listens to their replacement.
 *
 * A replacement is one step: no job, request or timer sees a part of it. An attempt in flight ends under what was in
 * force when it began, because its delivery holds the endpoint of then.
 */
export interface Live extends InForce {
  /**
   * Puts another configuration, another directory or both in force, and tells the listeners in the order in which
   * they were added. Costs time for each app, and for each endpoint of apps that are other objects than before.
   *
   * @param known What it changes, where the caller knows: then it costs time for that only. Endpoints that nobody has
   *   asked for yet need not be named.
   */
  replace(next: Partial<InForce>, known?: EndpointChanges): LiveChange;
  /** The listener must not throw, and must not replace anything itself. */
  onReplace(listener: (change: LiveChange) => void): void;
}

export function createLive(first: InForce): Live {
  let now = first;
  const listeners: ((change: LiveChange) => void)[] = [];
  return {
    get config() {
      return now.config;
    },
    get directory() {
      return now.directory;
    },
    replace(next, known) {
      const previous = now;
      now = { config: next.config ?? previous.config, directory: next.directory ?? previous.directory };
      const change = {
        previous,
        next: now,
        ...(known ?? compareDirectories(previous.directory, now.directory)),
      };
      for (const listener of listeners) listener(change);
      return change;
    },
    onReplace: (listener) => void listeners.push(listener),
  };
}

/** What becomes of endpoints. */
export type EndpointChanges = Pick<LiveChange, "added" | "changed" | "removed">;

/** Compares by label; apps that are the same object are passed over. */
function compareDirectories(previous: Directory, next: Directory): EndpointChanges {
  const before = new Map(otherEndpoints(previous, next).map((endpoint) => [endpoint.label, endpoint]));
  const after = new Map(otherEndpoints(next, previous).map((endpoint) => [endpoint.label, endpoint]));
  return {
    added: [...after.values()].filter(({ label }) => !before.has(label)),
    changed: [...after.values()].flatMap((endpoint) => {
      const old = before.get(endpoint.label);
      return old === undefined ? [] : [{ before: old, after: endpoint }];
    }),
    removed: [...before.values()].filter(({ label }) => !after.has(label)),
  };
}

/** Endpoints of the one that the other does not have as the same object. */
function otherEndpoints(one: Directory, other: Directory): Endpoint[] {
  const isElsewhere = (app: App | null, endpoint: Endpoint): boolean =>
    other.findEndpoint(app, endpoint.name) === endpoint;
  const ofApps = one.apps.flatMap((app) => {
    const same = other.findApp(app.id, null);
    if (same === app) return [];
    return same === null ? app.endpoints : app.endpoints.filter((endpoint) => !isElsewhere(same, endpoint));
  });
  return [...ofApps, ...one.named.filter((endpoint) => !isElsewhere(null, endpoint))];
}

/** The endpoint in force that has this label; null when there is none. */
export function findByLabel(directory: Directory, label: string): Endpoint | null {
  const endpoint = findByAnyLabel(directory, label);
  // A former name leads to an endpoint of another label.
  return endpoint?.label === label ? endpoint : null;
}

/** As findByLabel, and by the label that 0.1 gave an endpoint. */
export function findByAnyLabel(directory: Directory, label: string): Endpoint | null {
  const slash = label.indexOf("/");
  const app = slash === -1 ? null : directory.findApp(label.slice(0, slash), null);
  if (slash !== -1 && app === null) return null;
  return directory.findEndpoint(app, label.slice(slash + 1));
}

/** Made at first use: it is asked only about a text that is also somebody's key or header. */
const namesOfDirectories = new WeakMap<Directory, ReadonlySet<string>>();

/** Whether an endpoint of any app is called so. */
export function hasEndpointNamed(directory: Directory, name: string): boolean {
  let names = namesOfDirectories.get(directory);
  if (names === undefined) {
    names = new Set(directory.endpoints.map((endpoint) => endpoint.name));
    namesOfDirectories.set(directory, names);
  }
  return names.has(name);
}
