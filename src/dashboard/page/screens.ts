import type { Address } from "./address.ts";
import type { Screen } from "./screen.ts";
import { Configuration } from "./screens/configuration.ts";
import { DeadLetters } from "./screens/dead.ts";
import { Deliveries } from "./screens/deliveries.ts";
import { DeliveryScreen } from "./screens/delivery.ts";
import { Endpoints } from "./screens/endpoints.ts";
import { EndpointScreen } from "./screens/endpoint.ts";
import { Find } from "./screens/find.ts";
import { JobScreen } from "./screens/job.ts";
import { Overview } from "./screens/overview.ts";
import { QueueScreen } from "./screens/queue.ts";
import { Queues } from "./screens/queues.ts";
import { Workers } from "./screens/workers.ts";

const named = (path: string, name: string, view: Screen["view"]): Screen => ({
  path,
  name,
  title: () => name,
  view,
});

/** The screens in the order of the list. */
export const screens: readonly Screen[] = [
  named("", "Overview", Overview),
  named("deliveries", "Deliveries", Deliveries),
  named("dead", "Dead letters", DeadLetters),
  named("endpoints", "Endpoints", Endpoints),
  named("queues", "Queues", Queues),
  named("workers", "Workers", Workers),
  named("configuration", "Configuration", Configuration),
  { path: "find", name: null, title: ({ query }) => `“${query["q"] ?? ""}”`, view: Find },
];

const objects: Readonly<Record<string, Screen>> = {
  deliveries: {
    path: "deliveries/",
    name: null,
    under: "deliveries",
    title: () => "Delivery",
    view: DeliveryScreen,
  },
  jobs: {
    path: "jobs/",
    name: null,
    under: "deliveries",
    title: ({ path }) => `Job ${path[1] ?? ""}`,
    view: JobScreen,
  },
  endpoints: {
    path: "endpoints/",
    name: null,
    under: "endpoints",
    title: ({ path }) =>
      path
        .slice(1)
        .filter((part) => part !== "-")
        .join("/"),
    view: EndpointScreen,
  },
  queues: {
    path: "queues/",
    name: null,
    under: "queues",
    title: ({ path }) => `Queue ${path[1] ?? ""}`,
    view: QueueScreen,
  },
};

/** The screen of an address; the overview where there is none. */
export function screenAt({ path }: Address): Screen {
  const [first = ""] = path;
  const object = path.length > 1 ? objects[first] : undefined;
  return object ?? screens.find((screen) => screen.path === first) ?? (screens[0] as Screen);
}
