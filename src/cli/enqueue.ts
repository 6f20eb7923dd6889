import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { createInputReader } from "./secret-source.ts";
import { askServer, reportRefusal, findServer, requireMember, serverFlags } from "./server.ts";

/** One job's fate, as POST /v1/queues/{queue}/jobs answers it. */
interface EnqueuedJob {
  readonly id: string | null;
  readonly status: string;
  readonly error?: { readonly code?: string; readonly detail?: string } | string;
}

/** `hookline enqueue QUEUE [FILE|-]`: posts the bytes as they are and prints each job's id. */
export const enqueue: RunCommand = async (args, io) => {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...serverFlags, "idempotency-key"],
    switches: ["json"],
    positionals: ["QUEUE", "FILE"],
    required: 1,
  });
  const server = await findServer(values, io);
  const [queue = "", file = "-"] = positionals;
  // As bytes: reading it as text would repair what is not UTF-8, and the server could not refuse it.
  const body = await createInputReader(io).read(file);
  const key = values["idempotency-key"];
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new UsageError("--idempotency-key: expected 1 to 255 visible ASCII characters without spaces");
  }
  const answer = await askServer(server, {
    method: "POST",
    path: `/v1/queues/${encodeURIComponent(queue)}/jobs`,
    body,
    headers: key === undefined ? {} : { "idempotency-key": key },
  });
  if (switches.has("json")) io.stdout.write(`${answer.text.trimEnd()}\n`);
  let { jobs } = (answer.body ?? {}) as { jobs?: readonly EnqueuedJob[] };
  if (!Array.isArray(jobs)) {
    if (answer.status < 200 || answer.status >= 300) {
      reportRefusal(answer, io, queue);
      return 1;
    }
    ({ jobs } = requireMember(server, answer, "jobs") as { jobs: readonly EnqueuedJob[] });
  }
  let failed = 0;
  for (const [index, job] of jobs.entries()) {
    if (job.status === "failed") {
      failed += 1;
      io.reportError(`jobs[${index}]${job.id ? ` (${job.id})` : ""}: ${describeError(job.error)}`, {
        index,
        ...(typeof job.error === "object" && job.error.code !== undefined ? { code: job.error.code } : {}),
      });
    } else if (!switches.has("json")) {
      io.stdout.writeLine(job.status === "enqueued" ? String(job.id) : `${job.id} ${job.status}`);
    }
  }
  return failed === 0 && answer.status < 300 ? 0 : 1;
};

function describeError(error: EnqueuedJob["error"]): string {
  if (typeof error === "string") return error;
  return [error?.detail, error?.code === undefined ? undefined : `(${error.code})`]
    .filter((part) => part !== undefined)
    .join(" ");
}
