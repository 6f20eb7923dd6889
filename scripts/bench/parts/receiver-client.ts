import { join } from "node:path";
import { cpuMs, pause } from "./contender.ts";

/** What the receiver saw since it was asked last; times in epoch ms. */
export interface Receipts {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** When each ten thousandth arrived. */
  readonly marks: readonly number[];
  /** ms from `sent_at` in a body to its receipt. */
  readonly latencies: readonly number[];
}

/** The receiver's process (receiver.ts). */
export interface BenchReceiver {
  readonly url: string;
  cpuMs(): number;
  /** How many arrived since it was asked for its receipts. */
  count(): Promise<number>;
  /** What arrived; it starts anew, with latencies where `timed`. */
  take(timed?: boolean): Promise<Receipts>;
  /** Resolves when so many have arrived; rejects when nothing comes for half a minute. */
  until(count: number): Promise<void>;
  stop(): void;
}

export async function startBenchReceiver(): Promise<BenchReceiver> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "receiver.ts")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  const url = `http://127.0.0.1:${port}`;
  const count = async (): Promise<number> => Number(await (await fetch(`${url}/count`)).text());
  return {
    url,
    cpuMs: () => cpuMs(child.pid),
    count,
    take: async (timed = false) =>
      (await (await fetch(`${url}/report?timed=${timed ? 1 : 0}`)).json()) as Receipts,
    async until(wanted) {
      let seen = -1;
      let end = 0;
      for (;;) {
        const now = await count();
        if (now >= wanted) return;
        if (now > seen) [seen, end] = [now, performance.now() + 30_000];
        else if (performance.now() > end) throw new Error(`only ${now} of ${wanted} deliveries arrived`);
        await pause(10);
      }
    },
    stop: () => child.kill(),
  };
}
