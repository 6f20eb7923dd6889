import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDnsServer } from "../support/dns-server.ts";
import { ensureExecutable } from "../support/executable.ts";
import {
  endpointNames,
  enqueueBacklog,
  laneJob,
  percentile,
  startLaneBench,
  untilArrived,
} from "../support/lane-load.ts";
import { until } from "../support/until.ts";

/**
 * A name server of our own for the executable: its resolv.conf is another file, in a mount namespace of its own.
 * resolv.conf has no ports, so that the server must listen on 53, on a loopback address of this process' own:
 * another run on this machine may have one beside.
 */
const nameServer = { host: `127.53.${(process.pid >> 8) & 255}.${(process.pid & 127) + 1}`, port: 53 };
const canIsolate =
  process.getuid?.() === 0 &&
  Bun.spawnSync(["unshare", "-m", "true"], { stdout: "ignore", stderr: "ignore" }).exitCode === 0;

// Issue 5, "Must show".
test.skipIf(!canIsolate)(
  "400 deliveries that hang and 20 endpoints whose names never resolve: a healthy one is served at once (needs root: UDP port 53, mount namespaces)",
  async () => {
    const asked = new Set<string>();
    const dns = await startDnsServer((name, type) => {
      asked.add(name);
      if (name !== "well.example") return "silence";
      return { addresses: type === "A" ? ["127.0.0.1"] : [], ttl: 1 };
    }, nameServer);
    const folder = mkdtempSync(join(tmpdir(), "hookline-names-"));
    const resolvConf = join(folder, "resolv.conf");
    writeFileSync(resolvConf, `nameserver ${nameServer.host}\n`);
    const inside = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
    const silent = endpointNames(20);
    try {
      await using bench = await startLaneBench({
        driver: "memory",
        concurrency: 500,
        endpoints: {
          hanging: {},
          well: { url: "http://well.example:PORT/well" },
          ...Object.fromEntries(silent.map((name) => [name, { url: `http://${name}.example:PORT/${name}` }])),
        },
        command: ["unshare", "-m", "sh", "-c", inside, resolvConf, await ensureExecutable()],
      });
      const { server, receiver } = bench;
      await receiver.behave(["hanging"], "hang");
      await enqueueBacklog(server, "hanging", 400);
      await untilArrived(receiver, "hanging", 400);
      for (const name of silent) await enqueueBacklog(server, name, 5);
      await until(() => asked.size >= silent.length, { what: "questions for every silent name" });
      for (let n = 0; n < 20; n += 1) {
        await server.enqueue("webhooks", laneJob("well", n));
        await untilArrived(receiver, "well", n + 1);
      }
      const seen = await receiver.look();
      expect(seen["hanging"]?.inFlight).toBe(400);
      const delays = seen["well"]?.delaysMs ?? [];
      expect(percentile(delays, 0.5)).toBeLessThan(50);
      // The first waits for its own name, and a noisy machine for itself; the silent names take 5 s.
      expect(Math.max(...delays)).toBeLessThan(2_000);
    } finally {
      await dns.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
