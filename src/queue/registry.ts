import { file } from "./drivers/file/settings.ts";
import { memory } from "./drivers/memory/settings.ts";
import { none } from "./drivers/none/settings.ts";
import { redisCluster } from "./drivers/redis/cluster-settings.ts";
import { redis } from "./drivers/redis/settings.ts";
import { sqs } from "./drivers/sqs/settings.ts";

/** One line per backend, by its name in `queue.driver`. The configuration lists and shows them in this order. */
export const registry = {
  memory,
  file,
  redis,
  "redis-cluster": redisCluster,
  sqs,
  none,
} as const;

/** A value of `queue.driver`. */
export type DriverName = keyof typeof registry;
