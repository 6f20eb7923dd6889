import { quote } from "../secrets/showable.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";

/** Each entry of operator_events names an endpoint and a queue that there are. */
export function checkOperatorEvents({ config, input }: CrossView, { issue }: CrossFindings): void {
  const endpoints = input.endpoints ?? {};
  const queues = (config.queue?.queues ?? []).map((queue) =>
    typeof queue === "string" ? queue : queue?.name,
  );
  for (const [index, entry] of (config.operator_events ?? []).entries()) {
    const { endpoint, queue } = entry ?? {};
    if (typeof endpoint === "string" && !Object.hasOwn(endpoints, endpoint)) {
      issue(["operator_events", index, "endpoint"], `${quote(endpoint, "name")} is not one of endpoints`);
    }
    if (typeof queue === "string" && !queues.includes(queue)) {
      issue(["operator_events", index, "queue"], `${quote(queue, "name")} is not one of queue.queues`);
    }
  }
}
