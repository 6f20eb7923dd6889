import type { Backend } from "../queue/backend.ts";
import { registry, type DriverName } from "../queue/registry.ts";
import type { CrossFindings, CrossView } from "./cross-view.ts";
import type { Config } from "./schema.ts";

/** What stall_ms must leave beyond the longest wait of a lease call (backends.md §1). */
const stallMarginMs = 5000;

const backends: Readonly<Record<DriverName, Backend<Config>>> = registry;

/** The backend that `queue.driver` names; undefined where that is wrong. */
export const backendOf = ({ config }: CrossView): Backend<Config> | undefined =>
  config.queue?.driver === undefined ? undefined : backends[config.queue.driver];

/** What contradicts itself, or the backend in use, in the settings of backends. */
export function checkBackends(view: CrossView, findings: CrossFindings): void {
  const backend = backendOf(view);
  if (backend === undefined) return;
  checkStall(backend, view, findings);
  backend.contradict?.({ config: view.config, written: (path) => keysAt(view.input, path), ...findings });
  for (const key of keysAt(view.input, ["queue", "reliability"])) {
    const reason = backend.unused?.[key as keyof typeof backend.unused];
    const driver = view.config.queue?.driver;
    if (reason === undefined) continue;
    findings.warn(`queue.reliability.${key} has no effect on the driver ${driver}: ${reason}`);
  }
  warnOfDefaultDriver(view, findings);
}

function keysAt(root: unknown, path: readonly string[]): readonly string[] {
  const value = path.reduce<unknown>(
    (holder, key) => (holder as Record<string, unknown> | undefined)?.[key],
    root,
  );
  return typeof value === "object" && value !== null ? Object.keys(value) : [];
}

function checkStall(backend: Backend<Config>, { config }: CrossView, { issue }: CrossFindings): void {
  const wait = backend.wait?.(config);
  const stallMs = config.supervisor?.stall_ms;
  if (wait === undefined || stallMs === undefined || stallMs >= wait.ms + stallMarginMs) return;
  const least = wait.ms + stallMarginMs;
  issue(["supervisor", "stall_ms"], `expected at least ${least} (${wait.of} and 5 s more), got ${stallMs}`);
}

/** A backend that is described and not chosen: whoever forgot queue.driver would lose jobs with the process. */
function warnOfDefaultDriver(view: CrossView, { warn }: CrossFindings): void {
  const { input, sourceOf } = view;
  if (sourceOf(["queue", "driver"]) !== "default") return;
  const inUse = backendOf(view);
  const told = new Set<string>();
  for (const [driver, backend] of Object.entries(backends)) {
    if (backend === inUse) continue;
    const own = Object.keys(backend.queue ?? {}).map((key) => ["queue", key]);
    const shared = Object.keys(backend.database ?? {}).map((key) => ["database", key]);
    for (const section of [...own, ...shared]) {
      const [key] = keysAt(input, section);
      const path = [...section, key ?? ""];
      if (key === undefined || told.has(path.join("."))) continue;
      told.add(path.join("."));
      warn(
        `${path.join(".")} is set (${sourceOf(path)}), but queue.driver is not, so it is memory: set queue.driver (QUEUE_DRIVER) to ${driver}, or to memory to say so`,
      );
    }
  }
}
