import { readJobs, type IntakeItem } from "../jobs/intake.ts";
import { readJsonText } from "./body.ts";
import type { AdminDeps } from "./deps.ts";
import { answerFor, countRejected, requireIntake, writeJobs, type Verdict } from "./enqueue.ts";
import { invalidJson } from "./json-body.ts";
import { queueParameter } from "./queues.ts";
import { RequestError } from "./request-error.ts";
import { route, type AdminContext, type Route } from "./route.ts";

/** No job of any known form is shorter; bounds what one request can make the answer grow to. */
const shortestJobBytes = 32;

/**
 * POST /v1/queues/{queue}/jobs: one job or an array of them, in any form of contract §3.
 *
 * Bad ones are named and the good ones accepted. Nothing is answered before the driver has confirmed.
 */
export function jobRoutes(deps: AdminDeps): Route[] {
  const { driver, directory, clock, config } = deps;
  const { max_body_bytes: maxBodyBytes } = config.server;
  const maxJobs = Math.ceil(maxBodyBytes / shortestJobBytes);
  const formats = new Map(
    config.queue.queues.map(({ name, format }) => [name, format === "raw" ? "raw" : "auto"] as const),
  );
  return [
    route({
      method: "POST",
      path: "/v1/queues/:queue/jobs",
      access: "operator",
      async handle(c) {
        const queue = queueParameter(deps, c);
        requireIntake(deps);
        const key = idempotencyKey(c);
        const text = await readJsonText(c, maxBodyBytes);
        const intake = readJobs(text, {
          queue,
          format: formats.get(queue) ?? "auto",
          apps: directory,
          capabilities: driver.capabilities,
          // What is discarded is never there twice.
          idempotencyKey: driver.name === "none" ? null : key,
          now: clock.now(),
        });
        if (!intake.ok) {
          if (intake.code === "malformed") throw invalidJson(text);
          throw new RequestError(intake.code, intake.message);
        }
        if (intake.items.length === 0)
          throw new RequestError("invalid_body", "an empty array: send at least one job");
        if (intake.items.length > maxJobs) {
          throw new RequestError(
            "too_many_jobs",
            `${intake.items.length} jobs: send at most ${maxJobs} per request`,
          );
        }
        return answerFor(deps, await enqueueItems(deps, queue, intake.items));
      },
    }),
  ];
}

/** Writes the good ones in one call; one verdict per item, in order. */
async function enqueueItems(
  deps: AdminDeps,
  queue: string,
  items: readonly IntakeItem[],
): Promise<Verdict[]> {
  const jobs = items.flatMap((item) => (item.ok ? [item.job] : []));
  const results = (await writeJobs(deps, queue, jobs)).values();
  return items.map((item): Verdict => {
    if (!item.ok) {
      countRejected(deps, queue, item.code);
      return { status: "refused", id: item.id, error: new RequestError(item.code, item.message) };
    }
    const result = results.next();
    if (!result.done) return result.value;
    // Short of a result nothing is known of the job, and nothing may be promised.
    return { status: "failed", id: item.job.id, error: new Error("the driver gave too few results") };
  });
}

function idempotencyKey(c: AdminContext): string | null {
  const key = c.req.raw.headers.get("idempotency-key");
  if (key === null || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new RequestError(
    "invalid_idempotency_key",
    "Idempotency-Key: expected 1 to 255 visible ASCII characters without spaces",
  );
}
