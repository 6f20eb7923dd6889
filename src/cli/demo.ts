import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createHookline } from "../app.ts";
import { loadConfig } from "../config/load.ts";
import type { LoadedConfig } from "../config/load.ts";
import { demoDurable } from "../demo/durable.ts";
import { startDemoReceiver } from "../demo/receiver.ts";
import { conclusion, deliveryLine, demoApp, demoEvents, introduction } from "../demo/text.ts";
import { version } from "../version.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { endSignals } from "./end-signals.ts";
import { askServer, describeRefusal } from "./server.ts";
import { orLate } from "../wait.ts";

/** Far more than it takes; past it something is wrong with this machine, and the demo says so. */
const timeoutMs = 15_000;

/** `hookline demo`: 0 when the receiver has verified every delivery, with --keep after Ctrl-C. */
export const demo: RunCommand = async (args, io) => {
  const { switches } = parseArguments(args, { switches: ["keep", "durable"] });
  if (switches.has("durable")) return demoDurable(io);
  const interrupted = Promise.withResolvers<"interrupted">();
  for (const signal of endSignals()) process.once(signal, () => interrupted.resolve("interrupted"));

  let verified = 0;
  let retried = 0;
  const finished = Promise.withResolvers<"finished">();
  const receiver = await startDemoReceiver({
    ...demoApp,
    fails: (events, attempt) => attempt === 1 && events.some(({ name }) => name === "cache_miss"),
    onDelivery(delivery) {
      io.stdout.write(deliveryLine(delivery));
      if (delivery.status !== 200) return;
      verified += 1;
      if (delivery.attempt > 1) retried += 1;
      if (verified === demoEvents.length) finished.resolve("finished");
    },
  });
  const loaded = await loadDemoConfig(receiver.url);
  const hookline = await createHookline({ loaded, write: (line) => io.stderr.writeData(line) });
  try {
    const { url } = await hookline.start();
    io.stdout.write(introduction(version, url, receiver.url));
    for (const event of demoEvents) {
      const body = JSON.stringify({ events: [event] });
      const path = `/v1/apps/${demoApp.id}/events`;
      const answer = await askServer({ url, token: null }, { method: "POST", path, body });
      if (answer.status !== 202) throw new Error(`the demo's event was refused: ${describeRefusal(answer)}`);
    }
    const failed = hookline.failed.then((error) => {
      throw error;
    });
    const outcome = await orLate(Promise.race([finished.promise, interrupted.promise, failed]), timeoutMs);
    if (outcome === null) {
      io.reportError(`only ${verified} of ${demoEvents.length} deliveries came in ${timeoutMs} ms`);
      return 1;
    }
    if (outcome === "finished") io.stdout.write(conclusion(verified, retried));
    if (switches.has("keep") && outcome === "finished") {
      io.stdout.write("\nStill running: post events of your own, as above. Ctrl-C ends it.\n");
      await Promise.race([interrupted.promise, failed]);
    }
    return 0;
  } finally {
    await hookline.stop();
    await receiver.close();
  }
};

/** The demo's own configuration, whatever the environment and the working directory hold. */
function loadDemoConfig(receiverUrl: string): Promise<LoadedConfig> {
  const webhooks = [
    { name: "receiver", url: receiverUrl, event_types: [...new Set(demoEvents.map(({ name }) => name))] },
  ];
  return loadConfig({
    args: { sets: [], queues: [] },
    env: {
      HOOKLINE_PORT: "0",
      HOOKLINE_APPS: JSON.stringify([{ ...demoApp, webhooks }]),
      QUEUE_RETRY_BASE_DELAY_MS: "500",
      LOG_LEVEL: "error",
    },
    // A directory that does not exist has no hookline.json either.
    cwd: join(tmpdir(), randomUUID()),
  });
}
