import type { Subprocess } from "bun";
import { Redis } from "ioredis";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";

/** A redis-server process that a test started; `await using` ends it whatever happens. */
export interface RedisProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  /** A client for the test's own use, connected; replies are strings. Closed with the server. */
  readonly client: Redis;
  /** Sends a signal (SIGSTOP, SIGCONT, SIGKILL) to the process. */
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder after a kill. */
  restart(options?: { readonly waitReady?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisProcessOptions {
  /** Further arguments, as on redis-server's command line. */
  readonly args?: readonly string[];
  /** appendonly with every write synced. */
  readonly aof?: boolean;
  readonly sentinel?: boolean;
  /** How the test's own client connects, where that takes more than the port. */
  readonly client?: Readonly<Record<string, unknown>>;
}

const running = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * What `start` starts, again with other ports when its server ended at once: another process may have taken a port
 * that was free a moment ago.
 */
async function onFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof EndedAtStart) || attempt === 5) throw error;
    }
  }
}

class EndedAtStart extends Error {}

/** Starts redis-server (Debian's package) on a free port of 127.0.0.1, with a folder of its own, without snapshots. */
export async function startRedis(options: RedisProcessOptions = {}): Promise<RedisProcess> {
  return onFreePorts(() => startOnce(options));
}

async function startOnce(options: RedisProcessOptions): Promise<RedisProcess> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "hookline-redis-"));
  const base = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--daemonize", "no"];
  const storage = options.aof === true ? ["--appendonly", "yes", "--appendfsync", "always"] : [];
  const args = options.sentinel === true ? [] : ["--save", "", "--repl-diskless-sync-delay", "0", ...storage];
  let child: Subprocess;
  const spawn = (): void => {
    let command = ["redis-server", ...base, ...args, ...(options.args ?? [])];
    if (options.sentinel === true) {
      // A Sentinel rewrites its configuration file and therefore needs one.
      const file = join(folder, "sentinel.conf");
      writeFileSync(file, (options.args ?? []).join("\n"));
      command = ["redis-server", file, "--sentinel", ...base];
    }
    child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    running.add(child);
    void child.exited.then(() => running.delete(child));
  };
  spawn();
  const client = new Redis({
    port,
    host: "127.0.0.1",
    lazyConnect: true,
    protocol: 2,
    ...options.client,
    replyMapping: "legacy",
  });
  client.on("error", () => undefined);
  const ready = async (): Promise<void> => {
    const started = child;
    const answers = until(
      () =>
        client.ping().then(
          () => true,
          () => false,
        ),
      { what: "redis-server to answer", timeoutMs: 90_000 },
    );
    answers.catch(() => undefined);
    // Whoever else listens on the port may never answer.
    await Promise.race([answers, started.exited]);
    // One that found its port taken ends within milliseconds, and another Redis there would have answered.
    await Promise.race([started.exited, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (started.exitCode !== null || started.signalCode !== null) {
      throw new EndedAtStart(
        `redis-server ended at its start with ${started.exitCode ?? started.signalCode}`,
      );
    }
    await answers;
  };
  const stop = async (): Promise<void> => {
    client.disconnect();
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await child.exited;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    client,
    get pid() {
      return child.pid;
    },
    signal: (name) => child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async restart({ waitReady = true } = {}) {
      spawn();
      if (waitReady) await ready();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

const clusterArguments = (busPort: number): string[] =>
  `--cluster-enabled yes --cluster-announce-ip 127.0.0.1 --cluster-port ${busPort} --cluster-node-timeout 1000 --cluster-replica-validity-factor 0`.split(
    " ",
  );

/** A process that may become a cluster's node. */
function startNode(args: readonly string[], aof = false): Promise<RedisProcess> {
  return onFreePorts(async () => startOnce({ args: [...clusterArguments(await freePort()), ...args], aof }));
}

/** A cluster of one process that holds all slots. */
export async function startSingleCluster(args: readonly string[] = []): Promise<RedisProcess> {
  const server = await startNode(args);
  await server.client.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await until(async () => (await server.client.cluster("INFO")).includes("cluster_state:ok"), {
    what: "the cluster to be ok",
  });
  return server;
}

/** A cluster of several processes. */
export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly RedisProcess[];
  /** The masters, each with a third of the slots at the start; the rest are replicas, one each. */
  readonly masters: readonly RedisProcess[];
  /** The process that is master of the key's slot now. */
  masterOf(key: string): Promise<RedisProcess>;
  stop(): Promise<void>;
}

/** Three masters, with a replica each when asked for. */
export async function startCluster(options: { readonly replicas: boolean }): Promise<RedisCluster> {
  const count = options.replicas ? 6 : 3;
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode([], true)));
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  const all = async (condition: (node: RedisProcess) => Promise<boolean>, what: string): Promise<void> => {
    await until(async () => (await Promise.all(nodes.map(condition))).every(Boolean), {
      what,
      timeoutMs: 90_000,
      everyMs: 50,
    });
  };
  try {
    const masters = nodes.slice(0, 3);
    const slots = [0, 5461, 10_923, 16_384];
    for (const [index, node] of masters.entries()) {
      await node.client.call(
        "CLUSTER",
        "ADDSLOTSRANGE",
        String(slots[index]),
        String((slots[index + 1] as number) - 1),
      );
      await node.client.call("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    }
    for (const node of nodes.slice(1)) {
      const [first] = nodes as [RedisProcess];
      const bus = /@(\d+) myself/.exec(String(await first.client.cluster("NODES")))?.[1];
      await node.client.call("CLUSTER", "MEET", "127.0.0.1", String(first.port), String(bus));
    }
    await all(
      async ({ client }) =>
        String(await client.cluster("NODES"))
          .trim()
          .split("\n").length === count,
      "the nodes to meet",
    );
    for (const [index, node] of nodes.slice(3).entries()) {
      const master = masters[index] as RedisProcess;
      await node.client.call("CLUSTER", "REPLICATE", String(await master.client.call("CLUSTER", "MYID")));
    }
    await all(
      async ({ client }) => (await client.cluster("INFO")).includes("cluster_state:ok"),
      "the cluster to be ok",
    );
    await all(async ({ client }) => {
      const info = await client.info("replication");
      return info.includes("role:master") || info.includes("master_link_status:up");
    }, "the replicas to follow");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes,
    masters: nodes.slice(0, 3),
    async masterOf(key) {
      for (const node of nodes) {
        try {
          await node.client.exists(key);
          if ((await node.client.info("replication")).includes("role:master")) return node;
        } catch {
          // Another node's slot, or a process that was killed.
          continue;
        }
      }
      throw new Error(`no node serves ${key}`);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
