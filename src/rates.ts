import type { Outcome } from "./delivery/outcome.ts";
import type { Disposition } from "./queue/driver.ts";

/** How the last five minutes went, in steps; the last step is the one under way. */
export interface Rates {
  readonly stepMs: number;
  /** Epoch ms at which the step under way ends. */
  readonly endsAt: number;
  /** Deliveries accepted, oldest step first; as the others. */
  readonly delivered: readonly number[];
  /** Attempts that failed. One that was cut off is none. */
  readonly failed: readonly number[];
  /** Deliveries given up after an attempt. */
  readonly dead: readonly number[];
}

/** Counts attempts by queue and by endpoint. */
export interface RateCounts {
  record(
    delivery: {
      readonly endpoint: { readonly label: string };
      readonly held: { readonly lease: { readonly queue: string } };
    },
    outcome: Pick<Outcome, "kind">,
    disposition: Pick<Disposition, "verb">,
  ): void;
  ofQueue(name: string): Rates;
  ofEndpoint(label: string): Rates;
  /** Lets go of what it has of the endpoint with this label. */
  forget(label: string): void;
}

const stepMs = 5_000;
/** Steps of the five minutes. */
export const rateSteps = 60;
const steps = rateSteps;
/** From so many endpoints on, those that were quiet for five minutes are let go when one more comes. */
const fewEndpoints = 1_000;

/** The kinds of counts, and the place of each among the counts of a step. */
const delivered = 0;
const failed = 1;
const dead = 2;
const kinds = 3;

/** The counts of one queue or endpoint; a step's stand at its number modulo `steps`. */
interface Track {
  readonly counts: Uint32Array;
  /** The newest step that has been begun. */
  step: number;
}

/**
 * The rates of each queue and endpoint over five minutes, of this process.
 *
 * Recording is a few additions and nothing runs between: an idle process does no work for it. A track takes 720 bytes.
 */
export function createRateCounts(now: () => number): RateCounts {
  const queues = new Map<string, Track>();
  const endpoints = new Map<string, Track>();

  const trackOf = (tracks: Map<string, Track>, key: string, step: number): Track => {
    let track = tracks.get(key);
    if (track === undefined) {
      if (tracks === endpoints && tracks.size >= fewEndpoints) dropQuiet(tracks, step);
      tracks.set(key, (track = { counts: new Uint32Array(steps * kinds), step }));
    }
    advance(track, step);
    return track;
  };
  const ratesOf = (track: Track | undefined): Rates => {
    const step = Math.floor(now() / stepMs);
    if (track !== undefined) advance(track, step);
    const read = (kind: number): number[] =>
      Array.from({ length: steps }, (_, at) => track?.counts[((step + 1 + at) % steps) * kinds + kind] ?? 0);
    return {
      stepMs,
      endsAt: (step + 1) * stepMs,
      delivered: read(delivered),
      failed: read(failed),
      dead: read(dead),
    };
  };

  return {
    record({ endpoint, held }, { kind }, { verb }) {
      if (kind === "aborted") return;
      const step = Math.floor(now() / stepMs);
      const isDelivered = kind === "delivered";
      for (const track of [
        trackOf(queues, held.lease.queue, step),
        trackOf(endpoints, endpoint.label, step),
      ]) {
        const at = (track.step % steps) * kinds;
        add(track, at + (isDelivered ? delivered : failed));
        if (verb === "dead") add(track, at + dead);
      }
    },
    ofQueue: (name) => ratesOf(queues.get(name)),
    ofEndpoint: (label) => ratesOf(endpoints.get(label)),
    forget: (label) => void endpoints.delete(label),
  };
}

function add({ counts }: Track, at: number): void {
  counts[at] = (counts[at] as number) + 1;
}

/** Begins the steps up to this one. A clock that was set back leaves the track where it is. */
function advance(track: Track, step: number): void {
  if (step <= track.step) return;
  const from = Math.max(track.step + 1, step - steps + 1);
  for (let one = from; one <= step; one += 1) {
    const at = (one % steps) * kinds;
    track.counts.fill(0, at, at + kinds);
  }
  track.step = step;
}

function dropQuiet(tracks: Map<string, Track>, step: number): void {
  for (const [key, track] of tracks) if (track.step <= step - steps) tracks.delete(key);
}
