import type { DecodedJob } from "../jobs/job.ts";
import type { StoredReceivers } from "../stored/receivers.ts";

/** What the workers need to know of the stored apps. */
export interface StoredApps {
  /** The revision in force; 0 where no other process writes, so that nothing can be newer elsewhere. */
  readonly revision: () => number;
  /** Whether a look can bring something. */
  readonly isShared: boolean;
  /** Brings this process up to date; throws DriverUnavailableError. */
  look(): Promise<void>;
  /** Whether the app or endpoint that a job names may be stored and cannot be read here. */
  mayBeUnreadable(job: DecodedJob): boolean;
  /** Something that is stored cannot be read here: jobs for it wait in the backend, under `waitingKey`. */
  isBlind(): boolean;
}

/**
 * Jobs that this process cannot route because it cannot read what is stored are parked under this key, which is closed
 * here until it can: so they cost nothing meanwhile, no attempt is charged, and a process that can read takes them. No
 * endpoint has such a label: `-` is no app's id.
 */
export const waitingKey = "-/stored apps that cannot be read";

export function createStoredApps(stored: StoredReceivers): StoredApps {
  return {
    isShared: stored.isShared,
    revision: () => (stored.isShared ? stored.applied : 0),
    look: () => stored.look(),
    isBlind: () => stored.isBlind,
    mayBeUnreadable(job) {
      const appKey = job.kind === "pusher" ? job.appKey : null;
      const appId = job.kind === "raw" ? null : job.appId;
      // One that was sent to a named endpoint (jobs/job.ts, `redirected`) needs no app.
      if (job.redirected === true && job.endpoint?.startsWith("-/") === true) {
        return stored.mayBeUnreadable(null, job.endpoint.slice(2));
      }
      const app = appId === null && appKey === null ? null : { id: appId, key: appKey };
      return stored.mayBeUnreadable(app, job.endpoint);
    },
  };
}

/** For queues without stored apps, as in tests of other things. */
export const noStoredApps: StoredApps = {
  isShared: false,
  revision: () => 0,
  look: async () => undefined,
  isBlind: () => false,
  mayBeUnreadable: () => false,
};
