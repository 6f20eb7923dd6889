import { sleep } from "../clock.ts";
import { DriverUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { SharedState } from "../queue/driver.ts";
import { createBackoff } from "./backoff.ts";
import type { EndpointMode } from "./endpoint-gate.ts";

/** The modes of endpoints, kept in the backend where all processes see them. */
export interface SharedModes {
  /** Applies what the backend has; when it does not answer, its next announcement does. */
  load(): Promise<void>;
  /** Resolves when the backend has it; throws DriverUnavailableError. */
  save(label: string, mode: EndpointMode): Promise<void>;
  /**
   * Saves a mode that is in force here already, however long the backend does not answer; until it has it,
   * what the backend says of this endpoint is older and does not count.
   */
  keep(label: string, mode: EndpointMode): void;
  close(): void;
}

export interface SharedModesOptions {
  readonly shared: SharedState;
  /** Labels of the endpoints that are configured here. */
  readonly labels: readonly string[];
  /** Puts a mode in force in this process; called for every endpoint whenever anything changed. */
  readonly apply: (label: string, mode: EndpointMode) => void;
  readonly log: Logger;
}

/** Keys of other kinds may come to stand beside these. */
const keyOf = (label: string): string => `endpoint:${label}`;

/** Only what is not enabled is stored, so that a cluster where all is well keeps nothing. */
const valueOf = (mode: EndpointMode): string | null => (mode === "enabled" ? null : mode);

/** Listens to the backend's shared state from the start; see SharedState for what it guarantees. */
export function createSharedModes(options: SharedModesOptions): SharedModes {
  const { shared, labels, log } = options;
  const unsaved = new Map<string, EndpointMode>();
  const closing = new AbortController();

  const take = (values: ReadonlyMap<string, string>): void => {
    if (closing.signal.aborted) return;
    for (const label of labels) {
      if (unsaved.has(label)) continue;
      const value = values.get(keyOf(label)) ?? "enabled";
      // Another version's word that is not known here changes nothing here.
      if (isMode(value)) options.apply(label, value);
    }
  };
  shared.onChange(take);

  const saveUntilThere = async (label: string, mode: EndpointMode): Promise<void> => {
    const backoff = createBackoff({ initialMs: 250, maxMs: 5_000 });
    while (unsaved.get(label) === mode && !closing.signal.aborted) {
      try {
        await shared.set(keyOf(label), valueOf(mode));
        if (unsaved.get(label) === mode) unsaved.delete(label);
      } catch (error) {
        log.warn("an endpoint's mode could not be shared yet; trying again", { endpoint: label, error });
        await sleep(backoff.next(), closing.signal);
      }
    }
  };

  return {
    async load() {
      try {
        take(await shared.all());
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) throw error;
        log.warn("the modes of endpoints could not be read yet; all count as enabled", { error });
      }
    },
    async save(label, mode) {
      await shared.set(keyOf(label), valueOf(mode));
      unsaved.delete(label);
    },
    keep(label, mode) {
      unsaved.set(label, mode);
      void saveUntilThere(label, mode);
    },
    close: () => closing.abort(),
  };
}

function isMode(value: string): value is EndpointMode {
  return value === "enabled" || value === "paused" || value === "disabled";
}
