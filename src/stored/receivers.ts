import { randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { ConfigError, DriverUnavailableError, HooklineError, UnsupportedByDriverError } from "../errors.ts";
import { createDirectory } from "../delivery/directory.ts";
import type { Directory } from "../delivery/endpoint.ts";
import type { Live } from "../delivery/live.ts";
import type { Logger } from "../log.ts";
import type { Finding } from "../problems/finding.ts";
import type { RecordStore, StoredRecord } from "../queue/records.ts";
import { createBucketMap } from "./bucket-map.ts";
import { createCipher, sealedWith, type Cipher } from "./cipher.ts";
import { createStoredCompiler, emptyIndex } from "./compile.ts";
import { changesOf } from "./changes.ts";
import { layerDirectory } from "./directory.ts";
import {
  readEntry,
  readRecordKey,
  recordKey,
  settingsOf,
  writeEntry,
  type Settings,
  type StoredEntry,
  type StoredKind,
} from "./entry.ts";
import { findTrouble } from "./findings.ts";
import { createSync } from "./sync.ts";

/** The apps and named endpoints that the API stores, as this process has them. */
export interface StoredReceivers {
  /** Why nothing can be stored at all; null when it can. Thrown as it is. */
  refusal(): HooklineError | null;
  /** The revision up to which everything is in force here; 0 while nothing was ever stored. */
  readonly applied: number;
  /** What a job that is taken in now must be routed by at least. */
  readonly known: number;
  /**
   * Reads everything; to be called when the driver is open, before anything is leased.
   *
   * @throws ConfigError when a key is missing that something is encrypted with; DriverUnavailableError.
   */
  load(): Promise<void>;
  /** Brings this process up to date with what was stored before the call; throws DriverUnavailableError. */
  look(): Promise<void>;
  /** Something that is stored cannot be read here. */
  readonly isBlind: boolean;
  /** Whether others write to the store, so that a look can bring something. */
  readonly isShared: boolean;
  entry(kind: StoredKind, name: string): StoredEntry | null;
  entries(kind: StoredKind): StoredEntry[];
  /**
   * Whether an app or endpoint of these names may be stored and cannot be read here: a job for it is for another
   * process, or for later. Null: not said.
   */
  mayBeUnreadable(
    app: { readonly id: string | null; readonly key: string | null } | null,
    name: string | null,
  ): boolean;
  /**
   * Stores what `decide` makes of what is stored, or removes it (null); nobody writes anything in between. It may be
   * called several times, and may throw. What changes nothing is not written.
   *
   * @returns What is stored then.
   */
  change(
    kind: StoredKind,
    name: string,
    decide: (before: StoredEntry | null) => Settings | null,
  ): Promise<StoredEntry | null>;
  /** Seals up to so many records with the current key; how many were, and how many are left. */
  reencrypt(most: number): Promise<{ readonly done: number; readonly left: number }>;
  /** The receivers of a configuration with the stored ones beside them; what `live` is to be given. */
  directoryOf(config: Config): Directory;
  findings(): Finding[];
  close(): void;
}

export interface StoredReceiversOptions {
  /** Absent where the backend keeps nothing. */
  readonly store: RecordStore | undefined;
  readonly driver: string;
  /** In force at the start: the configuration, and its own receivers. */
  readonly live: Live;
  /** Takes the secrets of what is stored, and of what is stored no longer. */
  readonly secrets: { replace(previous: unknown, next: unknown): void };
  readonly clock: Clock;
  readonly log: Logger;
}

/** Up to so many endpoints all of them are made at once, so that metrics have each from the start. */
const fewEndpoints = 500;

/** Others may write all the time; then something is wrong with them. */
const mostTries = 100;

export function createStoredReceivers(options: StoredReceiversOptions): StoredReceivers {
  const { store, clock, log, secrets, live } = options;
  const startedAt = clock.now();
  let cipher = cipherOf(live.config, store);
  let configured = live.config;
  let base = live.directory;
  let compiler = createStoredCompiler(live.config);
  let entries = createBucketMap<StoredEntry>();
  let troubled = createBucketMap<StoredEntry>();
  let index = emptyIndex;

  const put = (changes: readonly (readonly [key: string, entry: StoredEntry | null])[]): void => {
    for (const [key, entry] of changes) {
      const before = entries.get(key);
      if (before?.text === entry?.text) continue;
      secrets.replace(partOf(before ?? null), partOf(entry));
    }
    const compiled = compiler.compile(index, entries, changes);
    const before = layerDirectory(base, index);
    index = compiled.index;
    entries = entries.with(compiled.changes);
    troubled = troubled.with(
      compiled.changes.map(([key, entry]) => [key, hasTrouble(entry) ? entry : null] as const),
    );
    const directory = layerDirectory(base, index);
    const isFew = directory.size <= fewEndpoints;
    live.replace({ directory }, changesOf(before, directory, compiled.changes, isFew));
  };

  const apply = (records: readonly StoredRecord[], all: boolean): void => {
    const changes = new Map(records.map((record) => [record.key, readEntry(cipher, record)] as const));
    if (all) {
      for (const { kind, name } of entries.values()) {
        const key = recordKey(kind, name);
        if (!changes.has(key)) changes.set(key, null);
      }
    }
    for (const [key, entry] of changes) {
      if (entry !== null && entry.trouble !== null) {
        log.warn("a stored record cannot be read; jobs for it are put back", {
          record: key,
          ...entry.trouble,
        });
      }
      const before = entries.get(key);
      // Read again, and the same as before: who was planned by it need not be planned again.
      const isSame = before?.revision === entry?.revision && !hasTrouble(before) && !hasTrouble(entry);
      if (readRecordKey(key) === null || isSame) changes.delete(key);
    }
    if (changes.size === 0) return;
    put([...changes]);
  };

  const sync = store === undefined ? null : createSync({ store, apply, now: () => clock.now() });

  const refusal = (): HooklineError | null => {
    if (store === undefined) {
      return new UnsupportedByDriverError(
        `the driver ${options.driver} keeps no apps: define them in the configuration, or take redis, redis-cluster, file or memory`,
      );
    }
    if (!store.durable || cipher?.canSeal === true) return null;
    return new HooklineError(
      "encryption_key_missing",
      "apps and endpoints are stored encrypted: set server.encryption_key (HOOKLINE_ENCRYPTION_KEY), 32 bytes in base64, in every process",
    );
  };

  const write = async (key: string, make: () => Settings | null): Promise<void> => {
    if (sync === null) throw refusal() as Error;
    for (let tries = 0; tries < mostTries; tries += 1) {
      const isDone = await sync.write(() => {
        const settings = make();
        return { key, value: settings === null ? null : writeEntry(cipher, key, settings) };
      });
      if (isDone) return;
    }
    throw new DriverUnavailableError("others store apps all the time; try again");
  };

  return {
    refusal,
    isShared: store?.isShared === true,
    get applied() {
      return sync?.applied ?? 0;
    },
    get known() {
      return sync?.known ?? 0;
    },
    get isBlind() {
      return troubled.size > 0 || (sync !== null && sync.fault !== null);
    },
    async load() {
      if (sync === null) return;
      try {
        await sync.look();
      } catch (error) {
        // What is refused, as for a key of the wrong type, is not mended by connecting anew: see findings.
        if (!(error instanceof DriverUnavailableError) || error.refusal === null) throw error;
        log.warn("what the API stores cannot be read; jobs for apps that are not known here are put back", {
          error,
        });
        void sync.follow();
      }
      const missing = Map.groupBy(troubled.values(), ({ trouble }) =>
        trouble?.why === "missing_key" ? trouble.keyId : null,
      );
      missing.delete(null);
      if (missing.size === 0) return;
      throw new ConfigError(
        [...missing].map(([keyId, some]) => ({
          path: "server.encryption_key",
          source: "",
          message: `${some.length} stored ${some.length === 1 ? "record is" : "records are"} encrypted with the key ${keyId}, which is neither this one${cipher?.canSeal === true ? ` (${cipher.keyId})` : ""} nor among server.previous_encryption_keys: put it there`,
        })),
      );
    },
    look: async () => sync?.look(),
    entry: (kind, name) => entries.get(recordKey(kind, name)) ?? null,
    entries: (kind) => [...entries.values()].filter((entry) => entry.kind === kind),
    mayBeUnreadable(app, name) {
      if (troubled.size === 0) return false;
      if (app === null) return name !== null && troubled.get(recordKey("endpoint", name)) !== undefined;
      if (app.id !== null) return troubled.get(recordKey("app", app.id)) !== undefined;
      return [...troubled.values()].some(({ kind }) => kind === "app");
    },
    async change(kind, name, decide) {
      const refused = refusal();
      if (refused !== null) throw refused;
      const key = recordKey(kind, name);
      if (store?.isShared === true) await sync?.look();
      const before = entries.get(key) ?? null;
      const next = decide(before);
      // Thousands of apps that are put at every start of somebody's program are no thousands of writes.
      if (before !== null && next !== null && JSON.stringify(next) === before.text) return before;
      await write(key, () => decide(entries.get(key) ?? null));
      return entries.get(key) ?? null;
    },
    async reencrypt(most) {
      const refused = refusal();
      if (refused !== null) throw refused;
      if (store === undefined || !store.durable) return { done: 0, left: 0 };
      const current = cipher?.keyId;
      const stale: string[] = [];
      for (let from = 0; ;) {
        const page = await store.changes(from, 200);
        for (const { key, value, revision } of page.records) {
          from = revision;
          if (value !== null && readRecordKey(key) !== null && sealedWith(value) !== current) stale.push(key);
        }
        if (!page.more) break;
      }
      let done = 0;
      for (const key of stale.slice(0, most)) {
        const entry = entries.get(key);
        // Gone meanwhile, or under a key that is missing: then there is nothing to seal.
        if (entry === undefined || entry.text === null) continue;
        await write(key, () => {
          const now = entries.get(key);
          return now === undefined || now.text === null ? null : settingsOf(now);
        });
        done += 1;
      }
      return { done, left: stale.length - done };
    },
    directoryOf(config) {
      base = createDirectory(config, base);
      const isAsBefore = (key: (one: Config) => unknown): boolean =>
        isDeepStrictEqual(key(config), key(configured));
      if (!isAsBefore(({ server }) => [server.encryption_key, server.previous_encryption_keys])) {
        cipher = cipherOf(config, store);
        sync?.forget();
        void sync?.follow();
      }
      // What receivers fall back to; else the compiled ones are right as they are.
      if (!isAsBefore(({ webhooks, queue }) => [webhooks, queue.sqs.region])) {
        compiler = createStoredCompiler(config);
        const all = [...entries.values()].map((entry) => [recordKey(entry.kind, entry.name), entry] as const);
        ({ index } = compiler.compile(emptyIndex, createBucketMap(), all));
      }
      configured = config;
      return layerDirectory(base, index);
    },
    findings: () => findTrouble({ entries, troubled, base, fault: sync?.fault ?? null, startedAt }),
    close: () => sync?.close(),
  };
}

function hasTrouble(entry: StoredEntry | null | undefined): boolean {
  return (entry?.trouble ?? null) !== null;
}

/** The part of a configuration that an entry is, for what is said of secrets by the schema. */
function partOf(entry: StoredEntry | null): unknown {
  if (entry === null || entry.text === null) return {};
  const settings = settingsOf(entry);
  return entry.kind === "app" ? { apps: [settings] } : { endpoints: { [entry.name]: settings } };
}

/** Null where nothing outlives the process. */
function cipherOf(
  { server }: Config,
  store: RecordStore | undefined,
): (Cipher & { canSeal: boolean }) | null {
  if (store?.durable !== true) return null;
  const { encryption_key: key, previous_encryption_keys: previous } = server;
  const bytes = (text: string): Buffer => Buffer.from(text, "base64");
  const own = key === null ? randomBytes(32) : bytes(key);
  return { ...createCipher(own, previous.map(bytes)), canSeal: key !== null };
}
