import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import { configSchema, type Config, type ConfigInput } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { createLive } from "../../src/delivery/live.ts";
import { silentLogger } from "../../src/log.ts";
import { createLocalRecords } from "../../src/queue/local-records.ts";
import { createStoredReceivers } from "../../src/stored/receivers.ts";
import { until } from "../support/until.ts";

const key = randomBytes(32).toString("base64");
const other = randomBytes(32).toString("base64");

const webhooks = [{ name: "main", url: "https://x.example/in", event_types: ["order"] }];
const appOf = (id: string, own = `key-of-${id}`) => ({ id, key: own, secret: `secret-of-${id}`, webhooks });
const configOf = (over: ConfigInput = {}): Config =>
  v.parse(configSchema, { ...over, server: { encryption_key: key, ...over.server } });

/** A process on a store that outlives it. */
function start(config = configOf(), store = createStore()) {
  const live = createLive({ config, directory: createDirectory(config) });
  const stored = createStoredReceivers({
    store,
    driver: "test",
    live,
    secrets: { replace: () => undefined },
    clock: systemClock,
    log: silentLogger,
  });
  const reload = (next: Config): void =>
    void live.replace({ config: next, directory: stored.directoryOf(next) });
  return { live, stored, reload, store };
}

const createStore = () =>
  createLocalRecords(systemClock, {
    durable: true,
    requireRoom: () => undefined,
    keep: async () => undefined,
  });

test("a reload keeps what is stored; what the configuration defines then shadows it, until it is gone again", async () => {
  const { live, stored, reload } = start();
  await stored.load();
  await stored.change("app", "shop", () => appOf("shop"));
  await stored.change("endpoint", "billing", () => ({ url: "https://b.example/in" }));
  const before = live.directory.findApp("shop", null);
  reload(configOf({ log: { level: "warn" } }));
  expect(live.directory.findApp("shop", null)).toBe(before);
  expect(live.directory.findEndpoint(null, "billing")?.label).toBe("billing");

  reload(configOf({ apps: [{ ...appOf("shop"), secret: "of-the-file" }] }));
  expect(live.directory.findApp("shop", null)?.secret).toBe("of-the-file");
  expect(live.directory.findApp(null, "key-of-shop")?.secret).toBe("of-the-file");
  expect(live.directory.apps.map(({ id }) => id)).toEqual(["shop"]);
  expect(stored.findings()).toMatchObject([{ kind: "stored_apps_shadowed" }]);

  reload(configOf());
  expect(live.directory.findApp("shop", null)?.secret).toBe("secret-of-shop");
  expect(stored.findings()).toEqual([]);
});

test("what receivers fall back to is the configuration's of now", async () => {
  const { live, stored, reload } = start();
  await stored.load();
  await stored.change("app", "shop", () => appOf("shop"));
  reload(configOf({ webhooks: { request_timeout_ms: 1234 } }));
  expect(live.directory.findApp("shop", null)?.endpoints[0]?.requestTimeoutMs).toBe(1234);
});

test("a key that a reload takes away makes what needs it unreadable, and one that it brings back readable", async () => {
  const { live, stored, reload } = start();
  await stored.load();
  await stored.change("app", "shop", () => appOf("shop"));
  reload(configOf({ server: { encryption_key: other } }));
  await until(() => stored.isBlind, { what: "the app to be unreadable" });
  expect(live.directory.findApp("shop", null)).toBeNull();
  expect(stored.mayBeUnreadable({ id: "shop", key: null }, null)).toBe(true);
  expect(stored.mayBeUnreadable({ id: "none", key: null }, null)).toBe(false);
  expect(stored.findings()).toMatchObject([{ kind: "encryption_key_missing" }]);
  reload(configOf({ server: { encryption_key: other, previous_encryption_keys: [key] } }));
  await until(() => !stored.isBlind, { what: "the app to be readable" });
  expect(live.directory.findApp("shop", null)?.secret).toBe("secret-of-shop");
  expect(await stored.reencrypt(10)).toEqual({ done: 1, left: 0 });
  reload(configOf({ server: { encryption_key: other } }));
  await stored.look();
  expect(stored.isBlind).toBe(false);
});

test("a lost key ends the start, with its id and how many records need it", async () => {
  const first = start();
  await first.stored.load();
  for (const id of ["a", "b"]) await first.stored.change("app", id, () => appOf(id));
  const { stored } = start(configOf({ server: { encryption_key: other } }), first.store);
  const error = await stored.load().catch((problem: unknown) => problem);
  expect(String(error)).toContain("2 stored records are encrypted with the key ");
});

test("of an app that nobody has asked for nothing is compiled; it is when it is used", async () => {
  const { live, stored } = start();
  await stored.load();
  await stored.change("app", "shop", () => ({ ...appOf("shop"), webhooks: [{ nonsense: 1 }] }));
  const app = live.directory.findApp("shop", null);
  expect(live.directory.size).toBe(1);
  expect(() => app?.endpoints).toThrow("a newer version wrote it");
});
