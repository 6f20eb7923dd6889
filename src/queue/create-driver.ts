import type { Config } from "../config/schema.ts";
import type { Backend, Consuming, DriverContext } from "./backend.ts";
import type { QueueDriver } from "./driver.ts";
import { registry } from "./registry.ts";

/** The driver that `queue.driver` names, made but not yet opened. */
export function createDriver(config: Config, context: DriverContext): Promise<QueueDriver> {
  return registry[config.queue.driver].create(config, context);
}

/** Requests over `fetch` that the backend in use may have under way at once; 0 where it makes none to speak of. */
export function fetchesOf(config: Config): number {
  const backend: Backend<Config> = registry[config.queue.driver];
  return backend.fetches ?? 0;
}

/** How the queues of the backend in use are consumed. */
export function consumingOf(config: Config): Consuming {
  return registry[config.queue.driver].consuming(config);
}
