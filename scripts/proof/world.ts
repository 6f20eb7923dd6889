import type { Book } from "./book.ts";
import type { FaultKind } from "./fault.ts";
import type { Gauge } from "./gauge.ts";
import type { Member } from "./member.ts";
import type { Door } from "./producers.ts";
import type { ProofReceiver } from "./receivers.ts";

/** A dead letter of the proof's jobs. */
export interface ProofDead {
  readonly n: number;
  /** Null where the job has ended before it had an endpoint. */
  readonly receiver: number | null;
  readonly reason: string;
}

/** One backend with all that stands around it. */
export interface World {
  readonly name: string;
  readonly book: Book;
  readonly members: readonly Member[];
  readonly receivers: readonly ProofReceiver[];
  readonly inFlight: Gauge;
  readonly doors: readonly Door[];
  /** Groups that keep order; 0 where the backend keeps none. */
  readonly groups: number;
  /** Attempts are counted in the backend, over all processes. */
  readonly countsAttemptsForAll: boolean;
  readonly kinds: readonly FaultKind[];
  /** Undoes what a fault may have left: everything is reachable, every receiver is well, every process runs. */
  clear(): Promise<void>;
  /** Jobs that the backend still holds to be delivered. */
  queued(): Promise<number>;
  dead(): Promise<ProofDead[]>;
  /** Connections of the processes to the backend; null where there are none to count. */
  connections(): number | null;
  /** How many more there may be in the end than at the start. */
  readonly moreConnections: number;
  close(): Promise<void>;
}
