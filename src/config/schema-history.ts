import * as v from "valibot";
import { choice, flag, integer } from "./kinds.ts";
import { setting } from "./setting.ts";

/** `history`: what is remembered of deliveries, for GET /v1/deliveries. */
export const historySchema = v.strictObject({
  enabled: setting(flag("Remember deliveries and their attempts."), { default: true }),
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
});

export type HistoryConfig = v.InferOutput<typeof historySchema>;
