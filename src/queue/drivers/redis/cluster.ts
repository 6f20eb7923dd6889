import { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import { ConfigError, DriverUnavailableError } from "../../../errors.ts";
import { connectFirst, createConnection } from "./connection.ts";
import { configProblem, connectProblem, translateError } from "./errors.ts";
import { explainOpening, noClusterMismatch } from "./mismatch.ts";
import type { RedisAddress, RedisDriverOptions } from "./options.ts";
import { createRedisServer } from "./server.ts";
import type { RedisServer } from "./server.ts";
import type { Topology, TopologyContext } from "./topology.ts";

/**
 * A Redis Cluster, as far as it is needed: each queue's keys share one slot, what processes share is one key, and
 * a slot lives on one node.
 *
 * ioredis' own Cluster client is not used: it sends a command again when its connection fails, which is
 * a replay of a command whose reply was lost, and it shares one connection per node, which a blocking wait
 * would hold up. Here a queue finds its node by CLUSTER SLOTS, follows MOVED, and asks again after a failure.
 */
export function createCluster(
  options: RedisDriverOptions,
  seeds: readonly RedisAddress[],
  { log, onConnected, blame }: TopologyContext,
): Topology {
  /** Key → its slot, asked once. */
  const slots = new Map<string, number>();
  /** Key → its node's address. */
  const places = new Map<string, string>();
  const servers = new Map<string, RedisServer>();
  /** Servers about to be closed, and when. */
  const retired = new Map<RedisServer, ReturnType<typeof setTimeout>>();
  /** Addresses that the last CLUSTER SLOTS named. */
  let known: readonly RedisAddress[] = [];
  /** All of the last CLUSTER SLOTS. */
  let ranges: readonly SlotRange[] = [];
  const suspects = new Set<string>();
  let searching: Promise<void> | null = null;
  let searchedAt = Number.NEGATIVE_INFINITY;
  const closing = new AbortController();
  let isOpen = false;

  const masterOf = (slot: number): RedisAddress | undefined =>
    ranges.find(({ from, to }) => from <= slot && slot <= to)?.nodes[0];

  /** Asks one node for the slots of all keys. */
  const ask = async (address: RedisAddress, signal: AbortSignal): Promise<Map<string, RedisAddress>> => {
    const redis = createConnection(options, address, "discovery", log);
    try {
      await connectFirst(redis, options, signal);
      for (const key of places.keys()) {
        if (!slots.has(key)) slots.set(key, await redis.cluster("KEYSLOT", key));
      }
      ranges = readSlots(await redis.cluster("SLOTS"), address);
      const found = new Map<string, RedisAddress>();
      for (const key of places.keys()) {
        const master = masterOf(slots.get(key) as number);
        if (master !== undefined) found.set(key, master);
      }
      known = uniqueAddresses(ranges.flatMap(({ nodes }) => nodes));
      return found;
    } catch (error) {
      if (error instanceof ConfigError) throw blame(error, false);
      const unfit = noClusterMismatch(error, options);
      if (unfit !== null) throw blame(unfit, true);
      const problem = connectProblem(error);
      if (problem !== null) throw blame(configProblem(options.configPath, problem), false);
      const explained = isOpen ? null : await explainOpening(error, address, options);
      throw explained ?? translateError(error, "asking for the cluster's slots");
    } finally {
      redis.disconnect();
    }
  };

  /** Asks nodes, a few at a time, until one names a server for every key. */
  const search = async (signal: AbortSignal): Promise<void> => {
    const candidates = uniqueAddresses([...known, ...seeds]);
    let failure: unknown = null;
    while (candidates.length > 0) {
      const some = candidates.splice(0, 4);
      const answers = await Promise.allSettled(some.map((address) => ask(address, signal)));
      for (const answer of answers) {
        if (answer.status === "rejected") failure ??= answer.reason;
        else {
          for (const [key, address] of answer.value) {
            // A node that has not heard of the failover yet still names the one that failed.
            const label = addressLabel(address);
            if (suspects.has(key) && places.get(key) === label) continue;
            places.set(key, label);
          }
        }
      }
      if (answers.some(({ status }) => status === "fulfilled")) return;
    }
    throw failure instanceof Error ? failure : new DriverUnavailableError("redis: no cluster node answers");
  };

  /**
   * Searches, one search at a time, and at most four a second: a failover takes longer than that.
   *
   * Answers whether there was a search: who was put off has to ask again.
   */
  const relocate = async (): Promise<boolean> => {
    if (searching === null) {
      if (performance.now() - searchedAt < 250) return false;
      searching = search(closing.signal).finally(() => {
        searching = null;
        searchedAt = performance.now();
      });
    }
    await searching;
    return true;
  };

  const serverAt = async (label: string): Promise<RedisServer> => {
    const existing = servers.get(label);
    if (existing !== undefined) return existing;
    const server = createRedisServer(options, parseAddress(label), log, onConnected);
    servers.set(label, server);
    try {
      await server.open(closing.signal);
    } catch (error) {
      server.close();
      if (servers.get(label) === server) servers.delete(label);
      throw error instanceof ConfigError ? blame(error, false) : error;
    }
    return server;
  };

  /** Lets go of nodes that hold none of our keys any more, once what is on its way has been answered. */
  const prune = (): void => {
    const used = new Set(places.values());
    for (const [label, server] of servers) {
      if (used.has(label)) continue;
      servers.delete(label);
      const timer = setTimeout(() => {
        retired.delete(server);
        server.close();
      }, options.requestTimeoutMs);
      retired.set(server, timer);
    }
  };

  const serverOf = async (key: string): Promise<RedisServer> => {
    if (suspects.has(key) || !places.get(key)) {
      if (await relocate()) suspects.delete(key);
      prune();
    }
    const label = places.get(key);
    if (!label) throw new DriverUnavailableError(`redis: no cluster node serves the slot of ${key}`);
    return serverAt(label);
  };

  /** On a node that holds none of our keys the connection is made for this once. */
  const onMaster = async <T>(label: string, use: (redis: Redis) => Promise<T>): Promise<T> => {
    const server = servers.get(label);
    if (server !== undefined) return use(await server.commands());
    const redis = createConnection(options, parseAddress(label), "discovery", log);
    try {
      await connectFirst(redis, options, closing.signal);
      return await use(redis);
    } catch (error) {
      // It may be none any more.
      relocate().catch(() => undefined);
      throw error;
    } finally {
      redis.disconnect();
    }
  };

  const onHolder = async <T>(key: string, use: (redis: Redis) => Promise<T>): Promise<T> => {
    const [some] = servers.values();
    if (some === undefined) throw new DriverUnavailableError("redis: no cluster node is connected");
    const slot = slots.get(key) ?? (await (await some.commands()).cluster("KEYSLOT", key));
    slots.set(key, slot);
    const master = masterOf(slot);
    if (master === undefined) throw new DriverUnavailableError(`redis: no cluster node serves ${key}`);
    return onMaster(addressLabel(master), use);
  };

  return {
    async open(keys, signal) {
      for (const key of keys) places.set(key, "");
      await search(signal);
      for (const key of keys) await serverOf(key);
      isOpen = true;
    },
    serverOf,
    moved(key, error) {
      // "MOVED 3999 127.0.0.1:6381"; the host is empty when the node does not know its own name.
      const target = error.message.split(" ")[2] ?? "";
      if (target === "" || target.startsWith(":")) {
        suspects.add(key);
        return;
      }
      log.info("a slot is on another cluster node now", { key, server: target });
      places.set(key, target);
      prune();
    },
    suspect: (key) => void suspects.add(key),
    servers: () => [...servers.values()],
    masters: () => [...new Set(ranges.flatMap(({ nodes }) => nodes.slice(0, 1).map(addressLabel)))],
    onMaster,
    onHolder,
    close() {
      closing.abort();
      for (const server of servers.values()) server.close();
      for (const [server, timer] of retired) {
        clearTimeout(timer);
        server.close();
      }
    },
  };
}

interface SlotRange {
  readonly from: number;
  readonly to: number;
  /** The master first. */
  readonly nodes: readonly RedisAddress[];
}

/** Reads the answer to CLUSTER SLOTS; an empty host means the node that answered. */
function readSlots(reply: unknown, asked: RedisAddress): SlotRange[] {
  if (!Array.isArray(reply)) return [];
  return reply.map((range: unknown[]) => ({
    from: Number(range[0]),
    to: Number(range[1]),
    nodes: range.slice(2).map((node) => {
      const [host, port] = node as [string | Buffer | null, number | string];
      const name = Buffer.isBuffer(host) ? host.toString() : host;
      return { host: name === null || name === "" || name === "?" ? asked.host : name, port: Number(port) };
    }),
  }));
}

function uniqueAddresses(addresses: readonly RedisAddress[]): RedisAddress[] {
  return [...new Map(addresses.map((address) => [addressLabel(address), address])).values()];
}

function addressLabel({ host, port }: RedisAddress): string {
  return `${host}:${port}`;
}

function parseAddress(label: string): RedisAddress {
  const colon = label.lastIndexOf(":");
  return { host: label.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(label.slice(colon + 1)) };
}
