import { route } from "../delivery/router.ts";
import { rawJob } from "../jobs/decode.ts";
import { deliveryId } from "../jobs/id.ts";
import type { ListedJob } from "../queue/job-lists.ts";
import type { AdminDeps } from "./deps.ts";
import { idOf } from "./job-view.ts";
import { knowJob } from "./known-job.ts";
import type { RawRoutes } from "../delivery/router.ts";

/**
 * Notes a cancelled job in the history: every delivery that would have been made of it, so that each can be found, and sent after all.
 * One that nobody would have been sent to stands there once, without an endpoint.
 */
export function noteCancelled(
  { history, live }: Pick<AdminDeps, "history" | "live">,
  queue: string,
  job: ListedJob,
  rawRoutes: RawRoutes | null,
): void {
  const known = knowJob(job.body, live.directory, rawRoutes);
  const { decoded } = known;
  const id = idOf(job, known) ?? "";
  if (decoded.kind === "malformed") {
    const raw = rawJob(job.body);
    const common = { queue, id, jobId: id, app: null, endpoint: null, boundEvents: null };
    history.recordCancelled({ ...common, job: raw, content: job.body });
    return;
  }
  const jobId = decoded.id ?? id;
  const common = { queue, jobId, job: decoded };
  const routing = route(decoded, live.directory, rawRoutes);
  if (routing.kind !== "deliver") {
    const app = known.app === null || known.app === "-" ? null : { id: known.app };
    history.recordCancelled({
      ...common,
      app,
      id: decoded.deliveryId ?? id,
      endpoint: null,
      boundEvents: null,
      content: job.body,
    });
    return;
  }
  for (const { endpoint, content, boundEvents } of routing.deliveries) {
    const webhookId = decoded.deliveryId ?? deliveryId(jobId, endpoint.nameHash);
    history.recordCancelled({ ...common, app: routing.app, id: webhookId, endpoint, boundEvents, content });
  }
}
