import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import { createRedisWorld } from "./redis.ts";

/** Every world of the proof, in the order in which they are tried. */
export const worlds: readonly {
  readonly name: string;
  readonly create: (random: Random) => Promise<World>;
}[] = [{ name: "redis", create: createRedisWorld }];
