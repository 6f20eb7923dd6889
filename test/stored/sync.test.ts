import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { DriverUnavailableError } from "../../src/errors.ts";
import { createLocalRecords, forgetfulKeeper } from "../../src/queue/local-records.ts";
import type { RecordStore, StoredRecord } from "../../src/queue/records.ts";
import { createSync } from "../../src/stored/sync.ts";
import { until } from "../support/until.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A process on a store, with what it has in force. */
function process(store: RecordStore) {
  const here = new Map<string, string>();
  const apply = (records: readonly StoredRecord[], all: boolean): void => {
    if (all) here.clear();
    for (const { key, value } of records) {
      if (value === null) here.delete(key);
      else here.set(key, new TextDecoder().decode(value));
    }
  };
  const sync = createSync({ store, apply, now: () => 0 });
  const put = async (key: string, text: string | null): Promise<void> => {
    while (!(await sync.write(() => ({ key, value: text === null ? null : bytes(text) }))));
  };
  return { sync, put, here: () => Object.fromEntries(here) };
}

const createStore = () => createLocalRecords(systemClock, forgetfulKeeper);

test("two processes end with the same, whoever writes", async () => {
  const store = createStore();
  const [one, other] = [process(store), process(store)];
  await Promise.all([one.sync.look(), other.sync.look()]);
  await Promise.all([
    ...Array.from({ length: 20 }, (_, n) => one.put(`a${n}`, "one")),
    ...Array.from({ length: 20 }, (_, n) => other.put(`a${n}`, "other")),
    one.put("gone", "x"),
  ]);
  await other.put("gone", null);
  await Promise.all([one.sync.look(), other.sync.look()]);
  expect(one.here()).toEqual(other.here());
  expect(Object.keys(one.here())).toHaveLength(20);
  expect(one.sync.applied).toBe(other.sync.applied);
});

test("who writes on what is not the last is brought up to date, and asked again", async () => {
  const store = createStore();
  const [one, other] = [process(store), process(store)];
  await one.sync.look();
  await other.sync.look();
  await one.put("a", "1");
  const saw: (string | undefined)[] = [];
  const write = () =>
    other.sync.write(() => {
      saw.push(other.here()["a"]);
      return { key: "a", value: bytes("2") };
    });
  // The change may have been followed already.
  while (!(await write()));
  expect(saw.at(-1)).toBe("1");
  await one.sync.look();
  expect(one.here()).toEqual({ a: "2" });
});

test("many that look at once share two reads", async () => {
  const store = createStore();
  let reads = 0;
  const counted: RecordStore = {
    ...store,
    changes(after, limit) {
      reads += 1;
      return store.changes(after, limit);
    },
  };
  const one = process(counted);
  await one.sync.look();
  reads = 0;
  await Promise.all(Array.from({ length: 500 }, () => one.sync.look()));
  expect(reads).toBeLessThanOrEqual(2);
});

/** A store that can be put back to what it was: a failover that loses the last writes. */
function createFailing() {
  let store = createStore();
  const listeners: Parameters<RecordStore["onChange"]>[0][] = [];
  let isAway = false;
  const check = (): RecordStore => {
    if (isAway) throw new DriverUnavailableError("away");
    return store;
  };
  const facade: RecordStore = {
    durable: true,
    isShared: true,
    changes: async (...all) => check().changes(...all),
    revisions: async () => check().revisions(),
    write: async (...all) => check().write(...all),
    onChange: (listener) => void listeners.push(listener),
  };
  return {
    facade,
    tell: (why: "changed" | "lost") => {
      for (const listener of listeners) listener(why);
    },
    setAway: (away: boolean) => (isAway = away),
    async restore(records: readonly StoredRecord[]) {
      store = createStore();
      store.restore(records);
    },
    snapshot: async () => (await store.changes(0, 1_000)).records,
  };
}

test("writes that the backend took back are gone here too, also where others have their place", async () => {
  const backend = createFailing();
  const one = process(backend.facade);
  await one.sync.look();
  await one.put("kept", "1");
  await one.put("changed", "old");
  const before = await backend.snapshot();
  await one.put("changed", "lost");
  await one.put("new", "lost");
  const last = one.sync.applied;
  await backend.restore([...before, { key: "other", value: bytes("2"), revision: last + 10 }]);
  backend.tell("lost");
  await until(() => one.here()["other"] === "2", { what: "the other's write" });
  expect(one.here()).toEqual({ kept: "1", changed: "old", other: "2" });
  // Without a word: the revisions have gone back.
  await backend.restore(before);
  await one.sync.look();
  expect(one.here()).toEqual({ kept: "1", changed: "old" });
});

test("while the store does not answer it says so, and goes on by itself", async () => {
  const backend = createFailing();
  const one = process(backend.facade);
  await one.sync.look();
  await one.put("a", "1");
  backend.setAway(true);
  backend.tell("changed");
  await until(() => one.sync.fault !== null, { what: "the fault to be known" });
  expect(await one.sync.look().catch((error: unknown) => error)).toBeInstanceOf(DriverUnavailableError);
  backend.setAway(false);
  await until(() => one.sync.fault === null, { what: "the fault to be over" });
  expect(one.here()).toEqual({ a: "1" });
  one.sync.close();
});
