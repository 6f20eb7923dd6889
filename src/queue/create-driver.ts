import type { Config } from "../config/schema.ts";
import type { Consuming, DriverContext } from "./backend.ts";
import type { QueueDriver } from "./driver.ts";
import { registry } from "./registry.ts";

/** The driver that `queue.driver` names, made but not yet opened. */
export function createDriver(config: Config, context: DriverContext): Promise<QueueDriver> {
  return registry[config.queue.driver].create(config, context);
}

/** How the queues of the backend in use are consumed. */
export function consumingOf(config: Config): Consuming {
  return registry[config.queue.driver].consuming(config);
}
