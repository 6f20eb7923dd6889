import { expect, test } from "bun:test";
import { systemClock } from "../../src/clock.ts";
import { silentLogger } from "../../src/log.ts";
import { createRedisServer } from "../../src/queue/drivers/redis/server.ts";
import { createSharedState } from "../../src/queue/drivers/redis/shared-state.ts";
import { redisOptionsFor } from "../support/redis-driver.ts";
import { startRedis } from "../support/redis-server.ts";
import type { RedisProcess } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

const key = "shared";

/** A state over two servers, of which the first is in use until `moveOn`; both hold n = 1. */
async function acrossTwo(first: RedisProcess, second: RedisProcess) {
  const servers = [first, second].map(({ port }) =>
    createRedisServer(redisOptionsFor(port), { host: "127.0.0.1", port }, silentLogger, () => undefined),
  );
  for (const server of servers) await server.open(new AbortController().signal);
  for (const { client } of [first, second]) await client.hset(key, "n", "1");
  let [current] = servers;
  const state = createSharedState({
    key,
    clock: systemClock,
    log: silentLogger,
    topology: {
      open: () => Promise.resolve(),
      serverOf: () => Promise.resolve(current!),
      moved: () => undefined,
      suspect: () => undefined,
      servers: () => [current!],
      masters: () => [],
      onMaster: async (_, use) => use(await current!.commands()),
      onHolder: async (_, use) => use(await current!.commands()),
      close: () => undefined,
    },
  });
  const heard: string[] = [];
  state.onChange((values) => void heard.push(String(values.get("n"))));
  state.start(true);
  await until(() => heard.length >= 2, { what: "the first looks" });
  return {
    state,
    heard,
    moveOn: () => void ([, current] = servers),
    [Symbol.dispose]() {
      state.close();
      for (const server of servers) server.close();
    },
  };
}

/** What was asked has been sent. */
const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/*
 * A master hangs while a look is on its way to it, its replica takes over, and what was changed there is known
 * here before the old one comes back and answers.
 */
test("the late answer of a server that has been left does not hide what was set since", async () => {
  await using first = await startRedis();
  await using second = await startRedis();
  using both = await acrossTwo(first, second);
  first.signal("SIGSTOP");
  const asked = both.state.all();
  await sent();
  both.moveOn();
  const before = both.heard.length;
  await both.state.set("n", "2");
  first.signal("SIGCONT");
  expect((await asked).get("n")).toBe("2");
  expect(new Set(both.heard.slice(before))).toEqual(new Set(["2"]));
});

test("nor does it come after the answer of the next", async () => {
  await using first = await startRedis();
  await using second = await startRedis();
  using both = await acrossTwo(first, second);
  await second.client.hset(key, "n", "2");
  first.signal("SIGSTOP");
  const early = both.state.all();
  await sent();
  both.moveOn();
  const late = both.state.all();
  // Time enough for an answer of the second, if it were asked now.
  await second.client.ping();
  await second.client.ping();
  first.signal("SIGCONT");
  expect([(await early).get("n"), (await late).get("n")]).toEqual(["1", "2"]);
  expect(both.heard[both.heard.length - 1]).toBe("2");
});
