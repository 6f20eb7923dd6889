import type { JobEvent } from "../jobs/job.ts";
import type { AttemptedDelivery } from "./entry.ts";

/** The events that a delivery consists of: the app's, or the one type of a generic job; none of a raw one. */
export function eventsOf({
  job,
  boundEvents,
}: Pick<AttemptedDelivery, "job" | "boundEvents">): readonly JobEvent[] {
  if (job.kind === "raw") return [];
  if (job.kind === "generic") return [{ name: job.type, channel: null }];
  if (boundEvents === null || boundEvents === "all") return job.events;
  return boundEvents.map((place) => job.events[place] as JobEvent);
}
