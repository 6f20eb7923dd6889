import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort, pause, startContender } from "./contender.ts";

/** A redis-server without persistence of its own, and a client. */
export interface BenchRedis {
  readonly client: Redis;
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startBenchRedis(): Promise<BenchRedis> {
  const folder = mkdtempSync(join(tmpdir(), "hookline-bench-redis-"));
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  const server = startContender(["redis-server", ...options]);
  const client = new Redis({ port, host: "127.0.0.1", replyMapping: "legacy" });
  // It is not there yet at first; the wait below ends when it is.
  client.on("error", () => undefined);
  const end = performance.now() + 10_000;
  while (client.status !== "ready") {
    if (performance.now() > end) throw new Error("redis-server does not start (Debian: redis-server)");
    await pause(10);
  }
  return {
    client,
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid,
    async stop() {
      client.disconnect();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
