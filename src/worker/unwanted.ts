import type { DecodedJob } from "../jobs/job.ts";
import { maskedStart } from "../secrets/masked-start.ts";

/** Most names in one log line, and most characters of one: both are a producer's to choose. */
const most = { names: 20, characters: 200 } as const;

/** Fields of the log line about a job that no endpoint wants: its app, and the names that may be misspelt. */
export function describeUnwanted(
  job: DecodedJob,
  mask: (text: string) => string,
): Readonly<Record<string, unknown>> {
  if (job.kind === "raw") return {};
  const names = new Set(job.kind === "generic" ? [job.type] : job.events.map(({ name }) => name));
  return {
    app: job.appId === null ? undefined : maskedStart(mask, job.appId, most.characters),
    events: [...names].slice(0, most.names).map((name) => maskedStart(mask, name, most.characters)),
    names: names.size,
  };
}
