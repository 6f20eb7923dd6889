import * as v from "valibot";
import type { Config } from "../config/schema.ts";
import { appSchema, endpointsSchema } from "../config/schema-apps.ts";
import { createReceiverCompiler, type ReceiverCompiler } from "../delivery/directory.ts";
import type { App, Endpoint } from "../delivery/endpoint.ts";
import { HooklineError } from "../errors.ts";
import type { BucketMap } from "./bucket-map.ts";
import { createIndex, type StoredReceiverIndex } from "./directory.ts";
import { settingsOf, type StoredEntry } from "./entry.ts";

/** Entries by record key; null for what is gone. */
export type EntryChanges = readonly (readonly [key: string, entry: StoredEntry | null])[];

/** Makes receivers of entries. */
export interface StoredCompiler {
  /**
   * The index with these changes; an entry that cannot be compiled comes back with its trouble, and is not in it.
   *
   * @param before What the index was made of.
   */
  compile(
    index: StoredReceiverIndex,
    before: BucketMap<StoredEntry>,
    changes: EntryChanges,
  ): { readonly index: StoredReceiverIndex; readonly changes: EntryChanges };
}

/** Apps are compiled when they are first used: of thousands few are busy, and the others cost their text only. */
export function createStoredCompiler(config: Config): StoredCompiler {
  const compiler = createReceiverCompiler(config, null);
  return {
    compile(index, before, changes) {
      const byId: [string, App | null][] = [];
      const byKey: [string, App | null][] = [];
      const named: [string, Endpoint | null][] = [];
      const done: [string, StoredEntry | null][] = [];
      let { size } = index;
      const sizeOf = (one: StoredEntry | null | undefined): number =>
        one?.trouble === null ? one.endpoints : 0;
      for (const [key, entry] of changes) {
        const old = before.get(key);
        if (old?.kind === "app") {
          byId.push([old.name, null]);
          if (old.key !== null && index.byKey.get(old.key)?.id === old.name) byKey.push([old.key, null]);
        } else if (old !== undefined) named.push([old.name, null]);
        if (entry === null || entry.trouble !== null) {
          done.push([key, entry]);
        } else if (entry.kind === "app") {
          const app = createStoredApp(entry, compiler);
          byId.push([entry.name, app]);
          byKey.push([app.key, app]);
          done.push([key, entry]);
        } else {
          const endpoint = compileNamed(entry, compiler);
          if (endpoint !== null) named.push([entry.name, endpoint]);
          done.push([key, endpoint === null ? { ...entry, trouble: unreadable } : entry]);
        }
        size += sizeOf(done.at(-1)?.[1]) - sizeOf(old);
      }
      return {
        index: {
          byId: index.byId.with(byId),
          byKey: index.byKey.with(byKey),
          named: index.named.with(named),
          size,
        },
        changes: done,
      };
    },
  };
}

export const emptyIndex: StoredReceiverIndex = createIndex();

const unreadable = {
  why: "unreadable",
  detail: "a newer version wrote it, with settings that are not known here",
} as const;

/** A stored app that this version cannot read; the job that asked for it is for another process. */
export class StoredUnreadableError extends HooklineError {
  override readonly name = "StoredUnreadableError";
  constructor(id: string) {
    super(
      "stored_unreadable",
      `the stored app ${id} has settings that are not known here: a newer version wrote it`,
    );
  }
}

const compiledOf = new WeakMap<App, () => App | null>();

/** The endpoints of an app that somebody has asked for; null for a stored one that nobody has. */
export function knownEndpoints(app: App): readonly Endpoint[] | null {
  const ofStored = compiledOf.get(app);
  return ofStored === undefined ? app.endpoints : (ofStored()?.endpoints ?? null);
}

/** An app that is compiled when somebody looks beyond its id and key. Throws StoredUnreadableError then. */
function createStoredApp(entry: StoredEntry, compiler: ReceiverCompiler): App {
  let compiled: App | null = null;
  const get = (): App => {
    if (compiled !== null) return compiled;
    const parsed = v.safeParse(appSchema, settingsOf(entry));
    if (!parsed.success) throw new StoredUnreadableError(entry.name);
    return (compiled = compiler.app(parsed.output));
  };
  const app: App = {
    id: entry.name,
    key: entry.key ?? "",
    get secret() {
      return get().secret;
    },
    get previousSecrets() {
      return get().previousSecrets;
    },
    get accept() {
      return get().accept;
    },
    get endpoints() {
      return get().endpoints;
    },
  };
  compiledOf.set(app, () => compiled);
  return app;
}

function compileNamed(entry: StoredEntry, compiler: ReceiverCompiler): Endpoint | null {
  const parsed = v.safeParse(endpointsSchema, { [entry.name]: settingsOf(entry) });
  const settings = parsed.success ? parsed.output[entry.name] : undefined;
  return settings === undefined ? null : compiler.named(entry.name, settings);
}
