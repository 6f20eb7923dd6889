import { createCluster } from "./cluster.ts";
import { clusterProblem, explainOpening } from "./mismatch.ts";
import type { RedisDriverOptions } from "./options.ts";
import { createRedisServer } from "./server.ts";
import type { Topology, TopologyContext } from "./topology.ts";

/** The topology that the options describe: a cluster, or one server that holds every key, with Sentinels or without. */
export function createTopology(options: RedisDriverOptions, context: TopologyContext): Topology {
  if (options.target.mode === "cluster") return createCluster(options, options.target.seeds, context);
  const { log, onConnected } = context;
  const address = options.target.mode === "single" ? options.target.address : null;
  let server = createRedisServer(options, address, log, onConnected);
  return {
    async open(_, signal) {
      try {
        await server.open(signal);
      } catch (error) {
        // A client that was disconnected on purpose stays so: the next try needs a new one.
        server.close();
        server = createRedisServer(options, address, log, onConnected);
        throw (address === null ? null : await explainOpening(error, address, options)) ?? error;
      }
    },
    serverOf: () => Promise.resolve(server),
    moved: () => undefined,
    suspect: () => undefined,
    answeredAsCluster: () => context.blame(clusterProblem(), true),
    servers: () => [server],
    masters: () => [server.label],
    onMaster: async (_, use) => use(await server.commands()),
    onHolder: async (_, use) => use(await server.commands()),
    close: () => server.close(),
  };
}
