import type { ChildStatus } from "../supervisor/child.ts";
import type { Finding } from "./finding.ts";

/** The worker loops that crashed and do not run at this moment. The supervisor logs each crash. */
export function loopFindings(children: readonly ChildStatus[]): Finding[] {
  return children.flatMap(({ id, state, restarts, lastError, downSince }): Finding[] => {
    if (downSince === null || (state !== "restarting" && state !== "failed")) return [];
    const detail = `restarted ${restarts} times; the last error was: ${lastError ?? "unknown"}`;
    return [{ kind: "loop_restarting", object: id, since: downSince, detail }];
  });
}
