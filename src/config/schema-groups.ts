import * as v from "valibot";
import { choice, integer, milliseconds, textLike } from "./kinds.ts";
import { queueName } from "./schema-queues.ts";
import { setting } from "./setting.ts";

/** One of `queue.groups`: queues that share their slots. */
export const groupSchema = v.strictObject({
  name: textLike(/^[A-Za-z0-9_-]{1,70}$/, "a name of 1 to 70 letters, digits, _ and -", "Name of the group."),
  concurrency: setting(
    integer(
      { min: 1 },
      "Attempts in flight for the whole group, plus one for each endpoint that has none in flight.",
    ),
    { default: 5 },
  ),
  strategy: setting(
    choice(
      ["weighted", "strict"],
      "weighted: round robin by weight. strict: the first queue that has a job.",
    ),
    { default: "weighted" },
  ),
  queues: v.pipe(
    v.array(
      v.pipe(
        v.union([
          v.pipe(
            queueName,
            v.transform((name) => ({ name, weight: 1 })),
          ),
          v.strictObject({
            name: queueName,
            weight: setting(integer({ min: 1, max: 1000 }, "Turns in a round."), { default: 1 }),
          }),
        ]),
        v.description("A queue of queue.queues: its name, or {name, weight}."),
      ),
    ),
    v.minLength(1, "at least one queue"),
  ),
  empty_pause_ms: setting(milliseconds(0, "An empty queue is not asked again for so long."), { default: 0 }),
});

export type GroupConfig = v.InferOutput<typeof groupSchema>;
