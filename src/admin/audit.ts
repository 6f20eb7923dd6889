import { DriverUnavailableError, HooklineError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Reply } from "./reply.ts";
import type { AdminRequest, Route } from "./route.ts";

/** Whether a route changes something, beyond taking jobs in. */
export function isChange({ method, access }: Route): boolean {
  return method !== "GET" && (access === "operate" || access === "token");
}

/** The requests whose body turned out to ask for a dry run. */
const dryRuns = new WeakSet<AdminRequest>();

/** Notes that a request changes nothing; for handlers that find `dry_run` in the body. */
export function noteDryRun(request: AdminRequest): void {
  dryRuns.add(request);
}

/**
 * The answer of a route that changes something, with a line in the log: who changed what.
 *
 * A refusal (4xx) has changed nothing and has no line. Where the handler failed otherwise, its change may be in the
 * backend all the same, so that it has one.
 */
export async function audited(
  log: Logger,
  { method, path }: Route,
  request: AdminRequest,
  handle: () => Reply | Promise<Reply>,
): Promise<Reply> {
  const fields = {
    token: request.caller.name,
    route: `${method} ${path}`,
    object: Object.values(request.params).join("/"),
  };
  try {
    const reply = await handle();
    if (reply.status < 400 && !dryRuns.has(request)) log.info("changed", fields);
    return reply;
  } catch (error) {
    if (!isRefusal(error)) log.warn("a change failed; it may have been made", { ...fields, error });
    throw error;
  }
}

/** What stopped before anything was changed: all but a backend that did not answer, and bugs. */
function isRefusal(error: unknown): boolean {
  return error instanceof HooklineError && !(error instanceof DriverUnavailableError);
}
