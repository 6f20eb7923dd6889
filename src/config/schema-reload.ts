import * as v from "valibot";
import { flag, integer } from "./kinds.ts";
import { setting } from "./setting.ts";

/** `reload`: how another configuration comes into force while the process runs. */
export const reloadSchema = v.strictObject({
  watch: setting(
    flag(
      "Reload when the file, or one that a NAME_FILE variable names, has changed; looked at every 2 seconds.",
    ),
    { default: false },
  ),
  partial: setting(
    flag(
      "Of a reload by SIGHUP or watch, put in force what can be; otherwise a key that needs a restart refuses it.",
    ),
    { default: false },
  ),
  revision: setting(
    v.nullable(
      integer(
        { min: 1 },
        "redis: the rank of this configuration where every process of the fleet sets it; null = by order of appearance.",
      ),
    ),
    { default: null },
  ),
});
