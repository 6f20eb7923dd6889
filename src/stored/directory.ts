import type { App, Directory, Endpoint } from "../delivery/endpoint.ts";
import { createBucketMap, type BucketMap } from "./bucket-map.ts";

/** What is stored, compiled. */
export interface StoredReceiverIndex {
  readonly byId: BucketMap<App>;
  readonly byKey: BucketMap<App>;
  readonly named: BucketMap<Endpoint>;
  /** How many endpoints all of them have. */
  readonly size: number;
}

export function createIndex(): StoredReceiverIndex {
  return { byId: createBucketMap(), byKey: createBucketMap(), named: createBucketMap(), size: 0 };
}

/**
 * The receivers of the configuration with the stored ones beside them. The configuration's count first: a stored app of
 * the same id, and a stored endpoint of the same name, are shadowed.
 *
 * Made anew at every change, so that it must cost nothing where there are thousands: the lists are made when somebody
 * asks for them.
 */
export function layerDirectory(base: Directory, stored: StoredReceiverIndex): Directory {
  const { byId, byKey, named } = stored;
  let apps: readonly App[] | null = null;
  let ofNames: readonly Endpoint[] | null = null;
  let endpoints: readonly Endpoint[] | null = null;
  const findStored = (id: string): App | undefined =>
    base.findApp(id, null) === null ? byId.get(id) : undefined;
  const findByKey = (key: string): App | null => {
    const app = base.findApp(null, key) ?? byKey.get(key);
    return app === undefined || isShadowed(app) ? null : app;
  };
  const isShadowed = (app: App): boolean => {
    const own = base.findApp(app.id, null);
    return own !== null && own !== app;
  };
  return {
    get apps() {
      apps ??= [...base.apps, ...[...byId.values()].filter((app) => !isShadowed(app))];
      return apps;
    },
    get named() {
      const stays = ({ name }: Endpoint): boolean => base.findEndpoint(null, name) === null;
      ofNames ??= [...base.named, ...[...named.values()].filter(stays)];
      return ofNames;
    },
    get endpoints() {
      endpoints ??= [...this.apps.flatMap((app) => app.endpoints), ...this.named];
      return endpoints;
    },
    size: base.size + stored.size,
    // Only the driver sqs asks, at its start, and it stores nothing.
    retries: base.retries,
    findApp(id, key) {
      const found = id === null ? null : (base.findApp(id, null) ?? findStored(id) ?? null);
      return found ?? (key === null ? null : findByKey(key));
    },
    findEndpoint: (app, name) =>
      base.findEndpoint(app, name) ?? (app === null ? (named.get(name) ?? null) : null),
  };
}
