import * as v from "valibot";
import { milliseconds } from "./kinds.ts";
import { setting } from "./setting.ts";

/** Every type of operator event (contract §6). */
export const operatorEventTypes = [
  "endpoint.disabled",
  "endpoint.recovered",
  "breaker.opened",
  "breaker.closed",
  "job.dead",
  "queue.lagging",
  "loop.restarted",
  "config.reloaded",
  "config.refused",
  "problem.opened",
  "problem.closed",
] as const;

export type OperatorEventType = (typeof operatorEventTypes)[number];

/** One entry of `operator_events`: a receiver that is told what happens to hookline itself. */
export const operatorEventsSchema = v.strictObject({
  endpoint: v.pipe(
    v.string("the name of an endpoint of `endpoints`"),
    v.minLength(1, "the name of an endpoint of `endpoints`"),
    v.description("The named endpoint that gets the events; nothing is told about itself."),
  ),
  types: setting(
    v.pipe(
      v.array(v.picklist(operatorEventTypes, `one of ${operatorEventTypes.join(", ")}`), "an array of types"),
      v.description("Which events; left out: all."),
    ),
    { default: [...operatorEventTypes] },
  ),
  queue: setting(
    v.nullable(
      v.pipe(
        v.string("the name of a queue"),
        v.description("Over which queue they go; null = the first one."),
      ),
    ),
    { default: null },
  ),
  lag_ms: setting(milliseconds(1, "Age of the oldest ready job from which on a queue lags."), {
    default: 300_000,
  }),
  window_ms: setting(
    milliseconds(
      1000,
      "Of one type about one object at most one event goes in so long, from all processes together.",
    ),
    { default: 300_000 },
  ),
});

export type OperatorEventsConfig = v.InferOutput<typeof operatorEventsSchema>;
