/** What a driver can tell of a dead letter without reading the job in it. All that is given must fit. */
export interface DeadLetterFilter {
  /** Epoch ms: it was given up at or after it. */
  readonly since?: number | undefined;
  /** Epoch ms: it was given up at or before it. */
  readonly until?: number | undefined;
  /** The endpoint's label. */
  readonly endpoint?: string | undefined;
  /**
   * How the endpoint's label begins, as in `shop/`. A letter without an endpoint fits: which app it belongs to stands in
   * the job alone.
   */
  readonly endpointPrefix?: string | undefined;
  readonly reason?: string | undefined;
  /** The job's id as the driver knows it, or the first part of a delivery's, which is `JOB_` and eight hex digits. */
  readonly jobId?: string | undefined;
}

/** A dead letter as far as the filter looks at it. */
export interface FilteredLetter {
  readonly jobId: string;
  readonly reason: string;
  readonly endpoint: string | null;
  /** Epoch ms. */
  readonly failedAt: number;
}

/** Whether a letter fits. Redis asks the same of its letters in a script (drivers/redis/dead-scripts.ts). */
export function fitsDeadFilter(filter: DeadLetterFilter, letter: FilteredLetter): boolean {
  const { since, until, endpoint, endpointPrefix, reason, jobId } = filter;
  if (since !== undefined && letter.failedAt < since) return false;
  if (until !== undefined && letter.failedAt > until) return false;
  if (reason !== undefined && letter.reason !== reason) return false;
  if (endpoint !== undefined && letter.endpoint !== endpoint) return false;
  if (
    endpointPrefix !== undefined &&
    letter.endpoint !== null &&
    !letter.endpoint.startsWith(endpointPrefix)
  ) {
    return false;
  }
  return jobId === undefined || isOfJob(letter.jobId, jobId);
}

function isOfJob(id: string, jobId: string): boolean {
  return id === jobId || (id.length === jobId.length + 9 && id.startsWith(`${jobId}_`));
}
