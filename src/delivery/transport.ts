import type { JobBody } from "../jobs/job.ts";
import type { Cut } from "./cut.ts";
import type { Endpoint } from "./endpoint.ts";
import type { HeaderEntry } from "./headers.ts";
import type { Outcome } from "./outcome.ts";
import type { AttemptTrace } from "./trace.ts";

/** Carries attempts to receivers. */
export interface Transport {
  /**
   * Makes one attempt and tells what it came to.
   *
   * Never rejects: whatever goes wrong on the way is an Outcome. Resolves at most a moment after
   * `timeoutMs` or after `cut` is cut, whichever comes first, and holds no socket of a broken-off
   * exchange from then on.
   */
  attempt(request: AttemptRequest): Promise<Outcome>;
  /** Lets go of idle connections and timers. Attempts in flight are the caller's to abort first. */
  close(): Promise<void>;
}

/** One attempt: everything but where it goes, which the endpoint knows. */
export interface AttemptRequest {
  /** What is derived from it (addresses, URLs, clients) is kept per object: pass the directory's own. */
  readonly endpoint: Endpoint;
  /** Complete and in order (headers.ts); the transport adds only what its protocol needs. */
  readonly headers: readonly HeaderEntry[];
  /** Sent byte for byte; text as UTF-8. */
  readonly body: JobBody;
  /** The one total deadline, from name resolution to the last byte of the answer. */
  readonly timeoutMs: number;
  /**
   * The caller cuts the attempt off with it: its outcome is then `aborted`. The transport does so too, at the
   * deadline; so it is for this attempt only.
   */
  readonly cut: Cut;
  /** Where to note the answer; absent or null: nowhere. */
  readonly trace?: AttemptTrace | null;
}
