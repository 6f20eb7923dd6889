import { Redis } from "ioredis";
import { startRedis } from "../../../test/support/redis-server.ts";
import { changedConfig, concurrency, configFor } from "../app.ts";
import type { Book } from "../book.ts";
import { calmReceivers, deadAt, layGround, queuedAt } from "../common-world.ts";
import { networkFaults } from "../faults/network.ts";
import { processFaults } from "../faults/process.ts";
import { receiverFaults } from "../faults/receiver.ts";
import { redisFaults } from "../faults/redis.ts";
import { createMember } from "../member.ts";
import type { Member } from "../member.ts";
import { eventsDoor, httpDoor, sockudoJob } from "../producers.ts";
import type { Door } from "../producers.ts";
import type { Random } from "../random.ts";
import { openTcpPath } from "../tcp-path.ts";
import { now } from "../weather.ts";
import type { World } from "../world.ts";

const ready = "sockudo_queue:queue:webhooks";
const user = "hookline";
/** Keys of every kind of the driver's, each of which a fault may make a text. */
const keys = [
  ready,
  ...["own", "children", "delayed", "leased", "leases", "claimed", "dead", "dead-jobs"].map(
    (name) => `{${ready}}:${name}`,
  ),
];

/** One Redis with every write synced, and processes that each reach it by a way of their own. */
export async function createRedisWorld(random: Random, processes = 2): Promise<World> {
  const ground = await layGround(processes);
  // The user stands in the command line, or it would be gone with the first process that is killed.
  const server = await startRedis({ aof: true, args: ["--user", user, "on", "nopass", "~*", "&*", "+@all"] });
  const paths = await Promise.all(Array.from({ length: processes }, () => openTcpPath(server.port)));
  const changed = new Map<number, number>();
  const members = paths.map((path, index) =>
    createMember(`redis process ${index}`, () =>
      changedConfig(
        configFor(ground.receivers, {
          driver: "redis",
          redis: { concurrency, url_override: `redis://${user}:x@127.0.0.1:${path.port}` },
        }),
        changed.get(index) ?? 0,
      ),
    ),
  );
  const { book, receivers } = ground;
  const variants = {
    change(member: number, variant: number): void {
      changed.set(member, variant);
      members[member]?.configure();
    },
  };
  const doors = [
    httpDoor(book, members, random),
    eventsDoor(book, members, random),
    rpushDoor(book, server.port),
  ];
  return {
    name: "redis",
    book,
    members,
    receivers,
    inFlight: ground.inFlight,
    groups: 0,
    countsAttemptsForAll: true,
    doors: [httpDoor(book, members, random), eventsDoor(book, members, random), rpushDoor(book, server.port)],
    kinds: [
      ...processFaults(members, variants),
      ...networkFaults(paths),
      ...(await redisFaults({ server, user, keys })),
      ...receiverFaults(receivers),
    ],
    async clear() {
      calmReceivers(receivers);
      for (const path of paths) path.set({ state: "open" });
      await Promise.all(members.map((member) => member.start()));
    },
    queued: () => queuedAt(members[0] as Member),
    dead: () => deadAt(members[0] as Member),
    moreConnections: 2,
    connections: () => paths.reduce((sum, path) => sum + path.open, 0),
    async close() {
      await Promise.all([...doors, ...members].map((each) => each.close()));
      await Promise.all(paths.map((path) => path.close()));
      await server.stop();
      await ground.close();
    },
  };
}

/** RPUSH as Sockudo v2 to v4 does it, without ids. What was not confirmed is not pushed again: it may be there. */
function rpushDoor(book: Book, port: number): Door {
  const client = new Redis({
    port,
    host: "127.0.0.1",
    maxRetriesPerRequest: 0,
    commandTimeout: 2_000,
    enableOfflineQueue: false,
    retryStrategy: () => 50,
    replyMapping: "legacy",
  });
  client.on("error", () => undefined);
  return {
    name: "rpush",
    async send(jobs) {
      try {
        await client.rpush(ready, ...jobs.map(sockudoJob));
      } catch {
        return;
      }
      const at = now();
      for (const job of jobs) book.confirm(job, at);
    },
    close() {
      client.disconnect();
      return Promise.resolve();
    },
  };
}
