import type { JobBody } from "../../../jobs/job.ts";

/** Under what a job's bytes are found: the bytes themselves, or a number that the keeper gave. */
export type Ref = JobBody | number;
