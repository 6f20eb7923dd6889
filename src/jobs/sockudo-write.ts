import { decodeJob } from "./decode.ts";
import { safeJobId } from "./id.ts";
import type { JobBody } from "./job.ts";

/** What Sockudo's form repeats of an app in each job. */
export interface SockudoApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/**
 * A job in the form that Sockudo v2 to v4 puts on its list (`write_for_sockudo`), app_secret included,
 * because its parser requires all of it; the payload byte for byte.
 *
 * Null for what has no such form: jobs of other kinds, jobs bound to one endpoint, and apps that are not
 * configured. `original_signature` is the label that Sockudo itself would write for the first event.
 */
export function encodeSockudo(
  body: JobBody,
  jobId: string,
  findApp: (id: string | null, key: string | null) => SockudoApp | null,
): string | null {
  const job = decodeJob(body, { format: "auto" });
  if (job.kind !== "pusher" || job.endpoint !== null) return null;
  const app = findApp(job.appId, job.appKey);
  if (app === null) return null;
  const { payload } = job;
  const [first] = job.events;
  const label = [app.id, first?.channel ?? "", first?.name ?? ""].join(":");
  const head = {
    app_key: app.key,
    app_id: app.id,
    app_secret: app.secret,
    original_signature: label,
    job_id: safeJobId(jobId),
    ...(job.traceparent === undefined ? {} : { traceparent: job.traceparent }),
  };
  return `${JSON.stringify(head).slice(0, -1)},"payload":${payload}}`;
}
