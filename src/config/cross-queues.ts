import { nameWithValue, rankOf, type Part } from "./blame.ts";
import type { Backend } from "../queue/backend.ts";
import { registry } from "../queue/registry.ts";
import { backendOf } from "./cross-backends.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";
import type { Config } from "./schema.ts";
import { quote } from "../secrets/showable.ts";

/** Queues, groups and how many attempts they may have in flight. */
export function checkQueues(view: CrossView, findings: CrossFindings): void {
  checkNames(view, findings);
  checkRawQueues(view, findings);
  checkGroups(view, findings);
  checkConcurrency(view, findings);
}

/** Name of an entry of queue.queues, in either spelling. */
function nameOf(queue: unknown): string | undefined {
  const name = typeof queue === "string" ? queue : (queue as { name?: unknown } | undefined)?.name;
  return typeof name === "string" ? name : undefined;
}

function checkNames({ config }: CrossView, { issue }: CrossFindings): void {
  const first = new Map<string, number>();
  for (const [index, queue] of (config.queue?.queues ?? []).entries()) {
    const name = nameOf(queue);
    if (name === undefined) continue;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    else issue(["queue", "queues", index], `"${name}" is queue.queues.${earlier} too; names must be unique`);
  }
}

function checkRawQueues({ config, input }: CrossView, { issue }: CrossFindings): void {
  const endpoints = input.endpoints ?? {};
  const checkEndpoint = (path: (string | number)[], name: string | null | undefined): void => {
    if (typeof name !== "string" || Object.hasOwn(endpoints, name)) return;
    issue(path, `${quote(name, "name")} is not one of endpoints`);
  };
  for (const [index, queue] of (config.queue?.queues ?? []).entries()) {
    if (typeof queue !== "object") continue;
    const path = ["queue", "queues", index];
    const { format, endpoint, routes = [] } = queue;
    const isRouted = routes.length > 0;
    if (format === "raw" && endpoint === null && !isRouted) {
      issue(path, "a raw queue needs endpoint or routes: where should its messages go?");
    }
    if (format === "raw" && typeof endpoint === "string" && isRouted) {
      issue(path, "has both endpoint and routes; a raw queue has one of them");
    }
    if (format === "jobs" && (typeof endpoint === "string" || isRouted)) {
      issue(
        [...path, "format"],
        '"jobs" says itself where it goes; endpoint and routes are for format "raw"',
      );
    }
    checkEndpoint([...path, "endpoint"], endpoint);
    for (const [at, route] of routes.entries()) {
      const routePath = [...path, "routes", at];
      checkEndpoint([...routePath, "endpoint"], route?.endpoint);
      const match = route?.match;
      if (match === undefined) continue;
      if ("attribute" in match === "body" in match) {
        issue([...routePath, "match"], "needs attribute or body, one of them");
      }
      if ("equals" in match === "prefix" in match) {
        issue([...routePath, "match"], "needs equals or prefix, one of them");
      }
    }
    for (const [driver, { ofEachQueue = {} }] of Object.entries<Backend<Config>>(registry)) {
      if (config.queue?.driver === undefined || config.queue.driver === driver) continue;
      for (const key of Object.keys(ofEachQueue)) {
        if (typeof queue[key as keyof typeof queue] !== "string") continue;
        issue([...path, key], `is for the ${driver} driver; queue.driver is ${config.queue.driver}`);
      }
    }
  }
}

function checkGroups({ config, input }: CrossView, { issue }: CrossFindings): void {
  const known = new Set((config.queue?.queues ?? []).map(nameOf));
  const groupNames = new Set<string>();
  const taken = new Map<string, string>();
  for (const [index, group] of (config.queue?.groups ?? []).entries()) {
    if (group === undefined) continue;
    const path = ["queue", "groups", index];
    const { name, strategy, queues = [] } = group;
    if (name !== undefined && groupNames.has(name))
      issue([...path, "name"], `"${name}" is taken; names must be unique`);
    if (name !== undefined) groupNames.add(name);
    for (const [at, queue] of queues.entries()) {
      const member = nameOf(queue);
      const memberPath = [...path, "queues", at];
      if (member === undefined) continue;
      if (!known.has(member)) issue(memberPath, `${quote(member, "name")} is not one of queue.queues`);
      const other = taken.get(member);
      if (other !== undefined) issue(memberPath, `"${member}" is in ${other} already`);
      else taken.set(member, `queue.groups.${index}`);
      const written = input.queue?.groups?.[index]?.queues?.[at];
      if (strategy === "strict" && typeof written === "object" && "weight" in written) {
        issue([...memberPath, "weight"], 'weights mean nothing with strategy "strict": the order counts');
      }
    }
  }
}

/** Attempts in flight per queue, as the section of the backend in use says; null where it has none. */
function concurrencyOf(view: CrossView): { key: string; value: number | undefined } | null {
  const [key] = Object.keys(backendOf(view)?.queue ?? {});
  if (key === undefined) return null;
  const section = view.config.queue?.[key as keyof typeof view.config.queue] as
    | { concurrency?: number }
    | undefined;
  return { key, value: section?.concurrency };
}

function checkConcurrency(view: CrossView, { issue }: CrossFindings): void {
  const { config, sourceOf } = view;
  const limit = config.webhooks?.max_in_flight;
  const own = concurrencyOf(view);
  if (limit === undefined || own?.value === undefined || config.queue?.consume === false) return;
  const part = (path: Part["path"], value: number): Part => ({
    path,
    value,
    source: sourceOf(path.map(String)),
  });
  const groups = config.queue?.groups ?? [];
  const grouped = new Set(groups.flatMap((group) => (group?.queues ?? []).map(nameOf)));
  const alone = (config.queue?.queues ?? []).filter((queue) => !grouped.has(nameOf(queue))).length;
  const consumers = backendOf(view)?.isOneConsumer?.(config) === true ? 1 : alone;
  const parts = [
    { ...part(["queue", own.key, "concurrency"], own.value), times: consumers },
    ...groups.map((group, index) => ({
      ...part(["queue", "groups", index, "concurrency"], group?.concurrency ?? 0),
      times: 1,
    })),
  ].filter(({ value, times }) => value * times > 0);
  const sum = parts.reduce((total, { value, times }) => total + value * times, 0);
  if (sum <= limit) return;

  const most = part(["webhooks", "max_in_flight"], limit);
  const terms = parts.map(
    ({ path, value, times }) => `${times === 1 ? "" : `${times} × `}${path.join(".")} ${value}`,
  );
  const written = `${sum} (${terms.join(" + ")})`;
  // Who is to blame: the largest that somebody wrote; the limit, where only that was, or more lately.
  const largest = parts
    .toSorted((left, right) => right.value * right.times - left.value * left.times)
    .find(({ source }) => source !== "default");
  if (largest === undefined || parts.every(({ source }) => rankOf(source) < rankOf(most.source))) {
    issue(most.path, `${limit} is below the sum of all concurrency, ${written}`);
  } else {
    const message = `the sum of all concurrency is ${written}, above ${nameWithValue(most)}`;
    issue(largest.path, message);
  }
}
