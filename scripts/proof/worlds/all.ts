import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import { createFileWorld } from "./file.ts";
import { createRedisWorld } from "./redis.ts";
import { createSqsWorld } from "./sqs.ts";

/** A backend with all that stands around it, by name. */
export interface WorldMaker {
  readonly name: string;
  readonly create: (random: Random) => Promise<World>;
}

/** Every world of the proof. */
export const worlds: readonly WorldMaker[] = [
  { name: "redis", create: createRedisWorld },
  { name: "file", create: createFileWorld },
  { name: "sqs", create: (random) => createSqsWorld(random, false) },
  { name: "sqs-fifo", create: (random) => createSqsWorld(random, true) },
];
