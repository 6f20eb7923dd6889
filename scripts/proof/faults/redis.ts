import {
  allScripts,
  commandsOf,
  deniedCommand,
  refusedBySetting,
  wrongType,
} from "../../../test/support/redis-faults.ts";
import type { RedisProcess } from "../../../test/support/redis-server.ts";
import type { Fault } from "../../../test/drivers/fault.ts";
import type { FaultKind } from "../fault.ts";
import type { Random } from "../random.ts";

const nothing = (): Promise<void> => Promise.resolve();

/** What a fault of a Redis server's is done with. */
export interface RedisGround {
  readonly server: RedisProcess;
  /** The user that hookline logs in as. */
  readonly user: string;
  /** Keys that may be made a text. */
  readonly keys: readonly string[];
}

/** What happens to one Redis server, which stays what it is. */
export async function redisFaults({ server, user, keys }: RedisGround): Promise<FaultKind[]> {
  const targets = ["redis"];
  const admin = server.client;
  const scripts = await allScripts();
  const commands = [...new Set(scripts.flatMap(commandsOf))].sort();
  const once = (name: string, forMs: readonly [number, number], act: () => Promise<unknown>): FaultKind => ({
    name: `redis: ${name}`,
    targets,
    forMs,
    doubles: "all",
    async begin() {
      await act();
      return nothing;
    },
  });
  const standing = (
    name: string,
    forMs: readonly [number, number],
    draw: (random: Random) => Fault,
  ): FaultKind => ({
    name: `redis: ${name}`,
    targets,
    forMs,
    doubles: "all",
    mayEnd: "start",
    begin: (_, random) => draw(random).begin(),
  });
  return [
    {
      name: "redis: killed",
      targets,
      forMs: [50, 800],
      doubles: "all",
      async begin() {
        await server.kill();
        return () => server.restart();
      },
    },
    {
      name: "redis: hangs",
      targets,
      forMs: [200, 1_500],
      doubles: "all",
      begin() {
        server.signal("SIGSTOP");
        return Promise.resolve(() => {
          server.signal("SIGCONT");
          return Promise.resolve();
        });
      },
    },
    once("CLIENT KILL", [0, 20], () => admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")),
    once("CLIENT PAUSE of writes", [300, 800], () => admin.call("CLIENT", "PAUSE", "300", "WRITE")),
    once("CLIENT PAUSE", [500, 1_000], () => admin.call("CLIENT", "PAUSE", "500", "ALL")),
    once("SCRIPT FLUSH", [0, 20], () => admin.call("SCRIPT", "FLUSH")),
    standing("maxmemory reached", [100, 600], () => refusedBySetting(admin, "maxmemory", "1", "0")),
    standing("too few replicas", [100, 600], () =>
      refusedBySetting(admin, "min-replicas-to-write", "1", "0"),
    ),
    standing("a right is taken", [100, 600], (random) => deniedCommand(admin, user, random.pick(commands))),
    standing("a key is a text", [100, 600], (random) => wrongType(admin, random.pick(keys))),
    {
      name: "redis: read only",
      targets,
      forMs: [100, 600],
      doubles: "all",
      async begin() {
        // Of a master that is not there: it keeps what it has and takes no writes.
        await admin.call("REPLICAOF", "127.0.0.1", "9");
        return async () => void (await admin.call("REPLICAOF", "NO", "ONE"));
      },
    },
  ];
}
