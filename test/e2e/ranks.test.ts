import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { startExecutable, type Executable } from "../support/executable.ts";
import { answer, startReceiver, type Receiver } from "../support/receiver.ts";
import { startRedis, type RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { app } from "./scenario.ts";

// faults.md A2: the older of two processes took most jobs, and an added app or webhook got nothing of them.

let redis: RedisProcess;
let receiver: Receiver;
beforeAll(async () => {
  redis = await startRedis();
  receiver = await startReceiver({ record: false });
});
afterAll(async () => {
  await redis.stop();
  await receiver.close();
});

/** Events seen, by path. */
const seen = new Map<string, Set<string>>();
beforeEach(async () => {
  await redis.client.flushall();
  seen.clear();
  receiver.behave((request) => {
    const events = seen.get(request.path) ?? new Set();
    seen.set(request.path, events);
    for (const [, channel] of request.text.matchAll(/"channel":"([^"]+)"/g)) events.add(channel as string);
    return answer(200);
  });
});

const hook = (name: string): object => ({ name, url: `${receiver.url}/${name}`, event_types: ["paid"] });

interface Setup {
  readonly apps?: readonly object[];
  readonly queue?: object;
  readonly rest?: object;
}
const configOf = ({
  apps = [{ ...app, webhooks: [hook("one")] }],
  queue = {},
  rest = {},
}: Setup = {}): object => ({
  queue: { driver: "redis", redis: { url_override: redis.url, concurrency: 8 }, ...queue },
  apps,
  ...rest,
});
/** One webhook more, and one app more. */
const newer = (): Setup => ({
  apps: [
    { ...app, webhooks: [hook("one"), hook("two")] },
    { id: "added", key: "added-key", secret: "added-secret-of-this-test", webhooks: [hook("three")] },
  ],
});

/** Posts events `<prefix>-0` and so on, one a request, eight at a time. */
async function post(server: Executable, appId: string, prefix: string, count: number): Promise<Set<string>> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  for (let at = 0; at < count; at += 8) {
    await Promise.all(
      names.slice(at, at + 8).map(async (channel) => {
        const reply = await server.api("POST", `/v1/apps/${appId}/events`, {
          events: [{ name: "paid", channel }],
        });
        expect(reply.status).toBe(202);
      }),
    );
  }
  return new Set(names);
}

const whenSeen = (path: string, names: ReadonlySet<string>, timeoutMs = 30_000): Promise<unknown> =>
  until(() => names.isSubsetOf(seen.get(path) ?? new Set()), { timeoutMs, what: `all events at ${path}` });
const isBehind = async (server: Executable): Promise<boolean> => {
  const { checks } = (await server.api("GET", "/health")).body as { checks: Record<string, unknown> };
  return checks["process_behind"] !== undefined;
};
interface Shown {
  readonly rank: number;
  readonly behind: boolean;
  readonly queues: string[];
}
const processes = async (server: Executable): Promise<Shown[]> =>
  (await server.api("GET", "/v1/processes")).body as Shown[];
const deadOf = async (server: Executable): Promise<number | null> => (await server.stats())["dead"] ?? null;

describe("an older and a newer process on one Redis", () => {
  test("what either accepts is routed by the newer; killed, the older goes on; rolled back and restarted, each has its rank", async () => {
    await using older = await startExecutable(configOf());
    await whenSeen("/one", await post(older, "shop", "before", 20));
    await using first = await startExecutable(configOf(newer()));
    const [byNewer, byAdded, byOlder] = await Promise.all([
      post(first, "shop", "newer", 200),
      post(first, "added", "added", 200),
      post(older, "shop", "older", 400),
    ]);
    await whenSeen("/one", byNewer.union(byOlder));
    await whenSeen("/two", byNewer);
    await whenSeen("/three", byAdded);
    // The newer one has leased what the older accepted, too.
    await whenSeen("/two", byOlder);
    expect(await deadOf(first)).toBe(0);
    expect([await isBehind(older), await isBehind(first)]).toEqual([true, false]);
    expect(new Set((await processes(older)).map(({ rank, behind }) => `${rank} ${behind}`))).toEqual(
      new Set(["1 true", "2 false"]),
    );
    const metrics = (await older.api("GET", "/metrics")).text;
    expect(metrics).toContain('hookline_queue_behind{queue="webhooks"} 1');

    // A restarted old process stays behind.
    expect(await older.stop()).toBe(0);
    await using restarted = await startExecutable(configOf());
    const again = await post(restarted, "shop", "again", 40);
    await whenSeen("/two", again);
    expect(await isBehind(restarted)).toBe(true);

    // The newer one dies: within 15 s the older goes on alone.
    first.signal("SIGKILL");
    const killedAt = performance.now();
    const alone = await post(restarted, "shop", "alone", 40);
    await whenSeen("/one", alone, 15_000);
    expect(performance.now() - killedAt).toBeLessThan(15_000);
    expect(alone.isDisjointFrom(seen.get("/two") ?? new Set())).toBe(true);
    await until(async () => !(await isBehind(restarted)), { what: "a process that is not behind" });

    // The newer configuration comes back, and then the old one once more, by reload: each is the newest in its turn.
    restarted.configure(configOf(newer()));
    expect((await restarted.api("POST", "/v1/config/reload")).status).toBe(200);
    await whenSeen("/two", await post(restarted, "shop", "reloaded", 40));
    expect(await deadOf(restarted)).toBe(0);
    expect(await restarted.stop()).toBe(0);
  }, 120_000);

  test("a consumer of another queue, one that consumes nothing, and one that differs in port, concurrency and log stop nobody", async () => {
    const queues = ["webhooks", "others"];
    await using one = await startExecutable(configOf({ queue: { queues } }));
    const ofOthers = configOf({ ...newer(), queue: { queues: ["others"] } });
    await using other = await startExecutable(ofOthers);
    await using accepting = await startExecutable(
      configOf({ ...newer(), queue: { queues, consume: false } }),
    );
    await using same = await startExecutable(
      configOf({
        queue: { queues, redis: { url_override: redis.url, concurrency: 3 } },
        rest: { log: { level: "debug" }, webhooks: { max_in_flight: 99 } },
      }),
    );
    const names = await post(accepting, "shop", "accepted", 100);
    await whenSeen("/one", names);
    expect(await isBehind(accepting)).toBe(false);
    const shown = await processes(one);
    expect(shown.filter(({ queues: its }) => its.includes("webhooks")).map(({ rank }) => rank)).toEqual([
      1, 1,
    ]);
    // On the other queue the newer one is the only one that takes anything.
    await until(() => isBehind(one), { what: "a process that is behind on the other queue" });
    expect(shown).toHaveLength(3);
    for (const server of [one, other, accepting, same]) expect(await server.stop()).toBe(0);
  }, 60_000);

  test("reload.revision is the rank where it is set, and a process that was away keeps the one it had", async () => {
    await using high = await startExecutable(configOf({ rest: { reload: { revision: 7 } } }));
    await using low = await startExecutable(configOf({ ...newer(), rest: { reload: { revision: 6 } } }));
    await until(() => isBehind(low), { what: "the lower revision behind" });
    expect(new Set((await processes(high)).map(({ rank }) => rank))).toEqual(new Set([6, 7]));
    const names = await post(low, "shop", "low", 40);
    await whenSeen("/one", names);
    // Stopped for longer than it counts.
    high.signal("SIGSTOP");
    await until(async () => !(await isBehind(low)), { timeoutMs: 20_000, what: "the lower revision alone" });
    high.signal("SIGCONT");
    await until(() => isBehind(low), { what: "the lower revision behind again" });
    for (const server of [high, low]) expect(await server.stop()).toBe(0);
  }, 60_000);
});
