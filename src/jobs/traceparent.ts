/** https://www.w3.org/TR/trace-context/#traceparent-header: version 00's form; the ids are not all zeros. */
const pattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The trace that a job belongs to; undefined where none is given, or one that cannot be read: the standard has it
 * ignored then, and no job fails for it.
 */
export function readTraceparent(value: unknown): string | undefined {
  return typeof value === "string" && pattern.test(value) ? value : undefined;
}

/** The job in the trace that its producer gave; the same object where there is none. */
export function withTraceparent<Job extends { readonly traceparent?: string | undefined }>(
  job: Job,
  value: unknown,
): Job {
  if (value === undefined || value === null) return job;
  const traceparent = readTraceparent(value);
  return traceparent === undefined ? job : { ...job, traceparent };
}
