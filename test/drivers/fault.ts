/**
 * One way in which commands of a backend fail: the backend refuses them, says so, and has done nothing. That an
 * answer gets lost is another matter, which this is not.
 *
 * How a backend joins the walk with faults (conformance-faults.ts): its test file gives `DriverUnderTest.faults`, one of
 * these for every command that the driver sends, and for every other reason it has to refuse one. Redis takes
 * rights away and gives keys another type (test/support/redis-faults.ts); a server over HTTP answers an action
 * with an error, or entries of a batch with failures. A backend inside this process names `faults` in its skips.
 */
export interface Fault {
  /** For messages, as in `ZADD is denied`. */
  readonly name: string;
  /** Commands fail from the moment this resolves, until what it resolves to has been called and has resolved. */
  begin(): Promise<() => Promise<void>>;
}

/** All that a backend brings to the walk with faults. */
export interface BackendFaults {
  readonly kinds: readonly Fault[];
  /**
   * A call that failed may have done a part of its work, so that a job comes twice: once for each failed call at most.
   * False: a call that failed has done nothing, and no job ever comes twice.
   */
  readonly mayDouble: boolean;
  /** The backend keeps a job's bytes as they were put: a settlement's `body` is not taken. */
  readonly keepsBytes?: boolean;
  /** Steps of the walk; fewer where a call that fails takes long. */
  readonly steps?: number;
}
