import { DriverUnavailableError } from "../../src/errors.ts";
import type { SharedState } from "../../src/queue/driver.ts";

/** A backend's shared values in this process, and as many processes' views of them as a test needs. */
export interface SharedStore {
  readonly values: Map<string, string>;
  /** While true every call fails, and nothing is announced. */
  isAway: boolean;
  /** The keys that `set` was called with, failed calls included. */
  readonly sets: readonly string[];
  /** One process's view. */
  connect(): SharedView;
  /** Tells all listeners what there is. */
  announce(): void;
}

/** Opening tells its listeners what there is; closed, it tells nothing more. */
export interface SharedView extends SharedState {
  open(): void;
  close(): void;
}

export function createSharedStore(): SharedStore {
  const values = new Map<string, string>();
  const views = new Set<() => void>();
  const sets: string[] = [];
  const store: SharedStore = {
    values,
    isAway: false,
    sets,
    connect() {
      const listeners: ((values: ReadonlyMap<string, string>) => void)[] = [];
      const tell = (): void => {
        for (const listener of listeners) listener(new Map(values));
      };
      views.add(tell);
      return {
        open: tell,
        close: () => void views.delete(tell),
        async all() {
          await Promise.resolve();
          if (store.isAway) throw new DriverUnavailableError("the backend is away");
          return new Map(values);
        },
        async set(key, value) {
          sets.push(key);
          await Promise.resolve();
          if (store.isAway) throw new DriverUnavailableError("the backend is away");
          if (value === null) values.delete(key);
          else values.set(key, value);
          store.announce();
        },
        onChange: (listener) => void listeners.push(listener),
      };
    },
    announce() {
      for (const tell of views) tell();
    },
  };
  return store;
}
