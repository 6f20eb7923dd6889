import * as v from "valibot";
import { choice, flag, integer, longMilliseconds, text } from "./kinds.ts";
import { setting } from "./setting.ts";

/** `history`: what is remembered of deliveries, for GET /v1/deliveries. */
export const historySchema = v.strictObject({
  enabled: setting(flag("Remember deliveries and their attempts."), { default: true }),
  path: setting(
    v.nullable(
      text(
        "A SQLite file that deliveries are remembered in, beyond a restart; null: in memory. One process each.",
      ),
    ),
    { default: null, env: "HISTORY_PATH", reload: "restart" },
  ),
  memory_entries: setting(
    integer(
      { min: 1, max: 1_000_000 },
      "Deliveries that are remembered in memory, within 16 MiB; failures have a half of their own.",
    ),
    { default: 10_000 },
  ),
  keep: setting(choice(["all", "failed"], "Remember all deliveries, or those with an attempt that failed."), {
    default: "all",
  }),
  body: setting(flag("Remember bodies too, to show them and to send them again."), { default: true }),
  response_bytes: setting(
    integer({ min: 0, max: 65_536 }, "Bytes of each answer that are remembered; 0: none."),
    { default: 1024 },
  ),
  max_age_ms: setting(
    longMilliseconds(1000, "How long the file remembers a delivery after its last attempt."),
    {
      default: 604_800_000,
    },
  ),
  max_bytes: setting(
    integer({ min: 16_777_216 }, "Most bytes of the file; the oldest deliveries go first."),
    {
      default: 1_073_741_824,
    },
  ),
});

export type HistoryConfig = v.InferOutput<typeof historySchema>;
