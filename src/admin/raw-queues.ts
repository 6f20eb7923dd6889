import type { Config } from "../config/schema.ts";
import type { Live } from "../delivery/live.ts";
import { compileRawRoutes } from "../delivery/raw-routes.ts";
import type { RawRoutes } from "../delivery/router.ts";
import { createMemo } from "../memo.ts";

/** The routes of a queue whose format is raw, as the configuration in force has them; null for every other queue. */
export function createRawRoutes(live: Live): (queue: string) => RawRoutes | null {
  const routesOf = createMemo(
    ({ queue }: Config) =>
      new Map(
        queue.queues.flatMap((one) =>
          one.format === "raw" ? [[one.name, compileRawRoutes(one)] as const] : [],
        ),
      ),
  );
  return (queue) => routesOf(live.config).get(queue) ?? null;
}
