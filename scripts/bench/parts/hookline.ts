import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Contender, freePort, pause, startContender } from "./contender.ts";

/** An executable under measurement that serves. */
export interface Hookline extends Contender {
  readonly url: string;
  /** From the spawn to the first 200 of /health/ready. */
  readonly startMs: number;
  /** POSTs to a path below /v1/queues/webhooks/; throws for an answer that is no success. */
  post(path: string, body: unknown): Promise<void>;
}

/**
 * Starts an executable; resolves when it is ready.
 *
 * @param folder Where its configuration file is written.
 */
export async function startHookline(executable: string, folder: string, config: object): Promise<Hookline> {
  const port = await freePort();
  const file = join(folder, `hookline-${port}.json`);
  writeFileSync(file, JSON.stringify({ log: { level: "warn" }, ...config, server: { port } }));
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const contender = startContender([executable, "serve", "--config", file]);
  for (;;) {
    const isReady = await fetch(`${url}/health/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) break;
    if (contender.hasEnded() || performance.now() - startedAt > 60_000) {
      await contender.stop();
      throw new Error(`${executable} ended, or is not ready after a minute (BENCH_LOG=1 shows its log)`);
    }
    await pause(1);
  }
  return {
    ...contender,
    url,
    startMs: performance.now() - startedAt,
    async post(path, body) {
      const response = await fetch(`${url}/v1/queues/webhooks/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    },
  };
}
