import { isDeepStrictEqual } from "node:util";
import type { QueueConfig } from "../config/schema.ts";
import type { Directory } from "../delivery/endpoint.ts";
import type { InForce } from "../delivery/live.ts";
import { compileRawRoutes } from "../delivery/raw-routes.ts";
import type { RawRoutes } from "../delivery/router.ts";

/** What the jobs of one queue are planned by. One that is replaced is another object. */
export interface PlanContext {
  readonly directory: Directory;
  /** The queue's format: "raw" takes every body as content. */
  readonly format: "auto" | "raw";
  /** Where a raw queue leads; null on others. The same object for as long as its routes are the same. */
  readonly rawRoutes: RawRoutes | null;
  /**
   * The driver orders jobs by group: then every job of an app with several endpoints becomes one delivery
   * each, also where only one wants it, or a later job could overtake it on its way to that endpoint.
   */
  readonly expandsAlways: boolean;
  /** Masks secrets in a text (secrets/mask.ts). */
  readonly mask: (text: string) => string;
  /** The revision of the stored apps that is in force; 0 where no other process routes. */
  readonly apiRevision: () => number;
}

/** Makes a queue's plan contexts, one for each state of the configuration. */
export function createPlanContexts(
  queue: string,
  fixed: Pick<PlanContext, "expandsAlways" | "mask" | "apiRevision">,
): (inForce: InForce) => PlanContext {
  let compiled: {
    readonly from: Pick<QueueConfig, "routes" | "endpoint">;
    readonly routes: RawRoutes;
  } | null = null;
  const rawRoutesOf = ({ routes, endpoint }: QueueConfig): RawRoutes => {
    const from = { routes, endpoint };
    if (compiled === null || !isDeepStrictEqual(compiled.from, from)) {
      compiled = { from, routes: compileRawRoutes(from) };
    }
    return compiled.routes;
  };
  return ({ config, directory }) => {
    const settings = config.queue.queues.find(({ name }) => name === queue);
    if (settings === undefined) throw new Error(`queue ${queue} is not in the configuration`);
    const isRaw = settings.format === "raw";
    return {
      ...fixed,
      directory,
      format: isRaw ? "raw" : "auto",
      rawRoutes: isRaw ? rawRoutesOf(settings) : null,
    };
  };
}
