import * as v from "valibot";
import { registry, type DriverName } from "../queue/registry.ts";
import { sections } from "../queue/sections.ts";
import { choice, flag } from "./kinds.ts";
import { groupSchema } from "./schema-groups.ts";
import { queuesSchema } from "./schema-queues.ts";
import { reliabilitySchema } from "./schema-reliability.ts";
import { setting } from "./setting.ts";

/** `queue`: where jobs wait, and how many are in flight. Each backend's section is its own (queue/registry.ts). */
export const queueSchema = v.strictObject({
  driver: setting(choice(Object.keys(registry) as DriverName[], "The backend that holds the jobs."), {
    env: ["QUEUE_DRIVER", "SOKETI_QUEUE_DRIVER"],
    default: "memory",
    reload: "restart",
  }),
  queues: setting(queuesSchema, { env: "QUEUE_NAMES", default: ["webhooks"], reload: "live" }),
  consume: setting(flag("false: accept and enqueue only."), {
    env: "QUEUE_CONSUME",
    default: true,
    reload: "restart",
  }),
  groups: setting(v.array(groupSchema, "an array of groups"), { default: [], reload: "restart" }),
  ...sections,
  reliability: setting(reliabilitySchema, { default: {}, reload: "restart" }),
});
