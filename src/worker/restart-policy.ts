import type { Config } from "../config/schema.ts";
import type { RestartPolicy } from "../supervisor/supervisor.ts";

/** How often and how soon children are restarted, and how long they may be silent. */
export function restartPolicy({ supervisor }: Config): RestartPolicy {
  return {
    maxRestarts: supervisor.max_restarts,
    withinMs: supervisor.within_ms,
    restartDelayMs: supervisor.restart_delay_ms,
    maxRestartDelayMs: supervisor.max_restart_delay_ms,
    stallMs: supervisor.stall_ms,
  };
}
