import type { Redis } from "ioredis";
import type { Queue } from "bullmq";
import { join } from "node:path";
import { startContender } from "./contender.ts";
import type { Rival } from "./contest.ts";
import { startHookline } from "./hookline.ts";
import { appId, appKey, appSecret, labelOf, sockudoText, type Workload } from "./workload.ts";

/** Jobs that are put in place with one command or request: less than 1 MB of them. */
const together = 250;

/** The bare loop: nothing is put in place. */
export function bareLoop(receiverUrl: string, concurrency: number): Rival {
  return {
    name: "bare fetch loop, Bun",
    isHookline: false,
    async prepare(workload, jobs) {
      const env = {
        RECEIVER: receiverUrl,
        WORKLOAD: workload.name,
        JOBS: String(jobs),
        CONCURRENCY: String(concurrency),
      };
      return {
        start: async () => startContender([process.execPath, join(import.meta.dir, "bare-fetch.ts")], env),
      };
    },
  };
}

export interface HooklineRival {
  readonly name: string;
  readonly executable: string;
  /** Where configuration files are written. */
  readonly folder: string;
  readonly concurrency: number;
  /** `history` of its configuration; absent: the defaults. */
  readonly history?: object;
}

/** Jobs are in memory, the queue paused; it begins with its resume. */
export function hooklineOnMemory({ name, executable, folder, concurrency, history }: HooklineRival): Rival {
  return {
    name,
    isHookline: true,
    async prepare(workload, jobs) {
      const queue = { driver: "memory", memory: { concurrency, capacity: jobs * 4 } };
      const server = await startHookline(executable, folder, {
        queue,
        apps: workload.apps,
        ...(history === undefined ? {} : { history }),
      });
      const stopIfFailed = async (error: unknown): Promise<never> => {
        await server.stop();
        throw error;
      };
      const put = (path: string, body: string): Promise<void> => server.post(path, body).catch(stopIfFailed);
      await put("pause", "{}");
      for (const batch of batchesOf(workload, jobs)) {
        await put(
          "jobs",
          `[${batch.map(({ app, payload }) => `{"app_id":"${appId(app)}","app_key":"${appKey(app)}","payload":${payload}}`).join(",")}]`,
        );
      }
      return {
        async start() {
          await server.post("resume", "{}");
          return server;
        },
      };
    },
  };
}

/** Jobs are in the list that Sockudo writes; it begins with its start. */
export function hooklineOnRedis(
  rival: HooklineRival & { readonly redis: Redis; readonly redisUrl: string },
): Rival {
  const { name, executable, folder, concurrency, redis, redisUrl } = rival;
  return {
    name,
    isHookline: true,
    async prepare(workload, jobs) {
      await redis.flushall();
      for (const batch of batchesOf(workload, jobs)) {
        await redis.rpush(
          "sockudo_queue:queue:webhooks",
          ...batch.map(({ n, app, payload }) => sockudoText(app, payload, labelOf(n))),
        );
      }
      const queue = { driver: "redis", redis: { concurrency, url_override: redisUrl } };
      return { start: () => startHookline(executable, folder, { queue, apps: workload.apps }) };
    },
  };
}

/** A BullMQ worker on Node with undici, or on Bun with its fetch. */
export function bullmq(options: {
  readonly runtime: "node" | "bun";
  readonly queue: Queue;
  readonly redis: Redis;
  readonly redisPort: number;
  readonly receiverUrl: string;
  readonly concurrency: number;
}): Rival {
  const { runtime, queue, redis, redisPort, receiverUrl, concurrency } = options;
  return {
    name: runtime === "node" ? "BullMQ, Node, undici" : "BullMQ, Bun, fetch",
    isHookline: false,
    async prepare(workload, jobs) {
      await redis.flushall();
      for (const batch of batchesOf(workload, jobs)) {
        await queue.addBulk(batch.map(({ payload }) => ({ name: "webhook", data: { payload } })));
      }
      const env = {
        TARGET: `${receiverUrl}/hook`,
        SECRET: appSecret,
        CONCURRENCY: String(concurrency),
        REDIS_PORT: String(redisPort),
      };
      const program = runtime === "node" ? "node" : process.execPath;
      return {
        start: async () => startContender([program, join(import.meta.dir, "bullmq-worker.mjs")], env),
      };
    },
  };
}

function* batchesOf(
  workload: Workload,
  jobs: number,
): Generator<{ readonly n: number; readonly app: number; readonly payload: string }[]> {
  for (let done = 0; done < jobs; done += together) {
    yield Array.from({ length: Math.min(together, jobs - done) }, (_, index) => ({
      n: done + index,
      ...workload.job(done + index),
    }));
  }
}
