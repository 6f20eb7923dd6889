import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandIo } from "../cli/command.ts";
import { askServer, describeRefusal } from "../cli/server.ts";
import { orLate } from "../wait.ts";
import { startDemoServer, type DemoServer } from "./child.ts";
import { startDemoReceiver, type DemoDelivery } from "./receiver.ts";
import { deliveryLine, demoApp } from "./text.ts";

const count = 20;
const eventName = "member_added";
/** Far more than it takes; past it something is wrong with this machine, and the demo says so. */
const timeoutMs = 20_000;

/**
 * `hookline demo --durable`: events are accepted while the receiver is down, the server is killed before the reader's
 * eyes, started again, and delivers them all. 0 when the receiver has verified every one of them, each once.
 */
export async function demoDurable(io: CommandIo): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "hookline-demo-"));
  let server: DemoServer | null = null;
  const seen = new Map<string, number>();
  const finished = Promise.withResolvers<"finished">();
  const take = (delivery: DemoDelivery): void => {
    io.stdout.write(deliveryLine(delivery));
    if (delivery.status === 200) seen.set(delivery.webhookId, (seen.get(delivery.webhookId) ?? 0) + 1);
    if (seen.size === count) finished.resolve("finished");
  };
  const receiverOptions = { ...demoApp, fails: () => false, onDelivery: take };
  // It listens once to get a port, and is then down.
  const probe = await startDemoReceiver(receiverOptions);
  await probe.close();
  const config = join(folder, "hookline.json");
  await writeFile(config, JSON.stringify(configuration(folder, probe.url)), { mode: 0o600 });
  let receiver: Awaited<ReturnType<typeof startDemoReceiver>> | null = null;
  try {
    server = await startDemoServer(config);
    io.stdout.write(`hookline demo --durable: driver file, store in ${join(folder, "store")}

  server    ${server.url}  pid ${server.pid}
  receiver  ${probe.url}  down

Posting ${count} events:
`);
    for (let n = 1; n <= count; n += 1) await post(server.url, n);
    io.stdout.write(`  ${count} accepted: each is on the disk, none is delivered\n\n`);
    const { pid } = server;
    await server.end("SIGKILL");
    server = null;
    io.stdout.write(`kill -9 ${pid}: the server is gone, without a chance to say goodbye\n\n`);
    receiver = await startDemoReceiver({ ...receiverOptions, port: Number(new URL(probe.url).port) });
    server = await startDemoServer(config);
    io.stdout.write(`Started again as pid ${server.pid}, and the receiver is up. What it gets:\n`);
    if ((await orLate(finished.promise, timeoutMs)) === null) {
      io.reportError(`only ${seen.size} of ${count} deliveries came in ${timeoutMs} ms`);
      return 1;
    }
    await server.end("SIGTERM");
    server = null;
    const doubles = [...seen.values()].reduce((sum, times) => sum + times - 1, 0);
    io.stdout.write(`
${seen.size} of ${count} delivered and verified, ${doubles} of them twice, none lost. In your configuration:
  { "queue": { "driver": "file", "file": { "path": "/var/lib/hookline" } } }
`);
    return 0;
  } finally {
    await server?.end("SIGKILL");
    await receiver?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function post(url: string, n: number): Promise<void> {
  const body = JSON.stringify({ events: [{ name: eventName, channel: `presence-${n}` }] });
  const path = `/v1/apps/${demoApp.id}/events`;
  const answer = await askServer({ url, token: null }, { method: "POST", path, body });
  if (answer.status !== 202) throw new Error(`the demo's event was refused: ${describeRefusal(answer)}`);
}

function configuration(folder: string, receiverUrl: string): object {
  return {
    server: { port: 0 },
    queue: { driver: "file", file: { path: join(folder, "store"), min_free_mb: 1 } },
    webhooks: { retry: { initial_backoff_ms: 500, max_backoff_ms: 1_000, max_attempts: 50 } },
    apps: [
      {
        ...demoApp,
        webhooks: [
          {
            name: "receiver",
            url: receiverUrl,
            event_types: [eventName],
            // A demo has no time to wait for a breaker.
            breaker: { min_attempts: 10_000 },
          },
        ],
      },
    ],
  };
}
