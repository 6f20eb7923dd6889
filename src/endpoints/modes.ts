import { sleep } from "../wait.ts";
import { DriverUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { SharedState } from "../queue/driver.ts";
import { createBackoff } from "../backoff.ts";
import type { EndpointMode } from "./state.ts";

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
  /** Applies what the backend is known to have of endpoints that are new here. */
  apply(endpoints: readonly KnownEndpoint[]): void;
  /** Others are in force now: those of them that are not enabled are met. */
  meet(): void;
  close(): void;
}

export interface SharedModesOptions {
  readonly shared: SharedState;
  /** The endpoints that this process has to do with. */
  readonly endpoints: () => readonly KnownEndpoint[];
  /** An endpoint of this label is not enabled: it is one of those from now on, if it is in force. */
  readonly meet: (label: string) => void;
  /** Puts a mode in force in this process; called for every endpoint whenever anything changed. */
  readonly apply: (label: string, mode: EndpointMode) => void;
  readonly log: Logger;
}

/** An endpoint's label, and the one that 0.1 kept its mode under; null = none. */
export type KnownEndpoint = readonly [label: string, formerLabel: string | null];

/** Keys of other kinds may come to stand beside these. */
const keyOf = (label: string): string => `endpoint:${label}`;

/** Only what is not enabled is stored, so that a cluster where all is well keeps nothing. */
const valueOf = (mode: EndpointMode): string | null => (mode === "enabled" ? null : mode);

/** Listens to the backend's shared state from the start; see SharedState for what it guarantees. */
export function createSharedModes(options: SharedModesOptions): SharedModes {
  const { shared, log } = options;
  const unsaved = new Map<string, EndpointMode>();
  /** What the backend has, as far as it is known here; never older than what this process has stored. */
  let known: ReadonlyMap<string, string> = new Map();
  const closing = new AbortController();

  /** What 0.1 stored; it counts until this version has stored something. */
  const formerValue = (values: ReadonlyMap<string, string>, former: string | null): string | undefined =>
    former === null ? undefined : values.get(keyOf(former));

  /** The former value goes last: while it stands there, an endpoint that was enabled is not. */
  const store = async (label: string, mode: EndpointMode): Promise<void> => {
    await shared.set(keyOf(label), valueOf(mode));
    known = new Map(known).set(keyOf(label), mode);
    const former = options.endpoints().find(([one]) => one === label)?.[1] ?? null;
    if (former !== null) await shared.set(keyOf(former), null);
  };

  /**
   * Copies what 0.1 stored to where it does not depend on the URL. The old value stays until the mode is changed:
   * a process of 0.1 that still runs would take its absence for "enabled".
   */
  const adopt = async (values: ReadonlyMap<string, string>): Promise<void> => {
    for (const [label, former] of options.endpoints()) {
      const value = formerValue(values, former);
      if (value !== undefined && !values.has(keyOf(label))) await shared.set(keyOf(label), value);
    }
  };

  const take = (values: ReadonlyMap<string, string>): void => {
    if (closing.signal.aborted) return;
    known = values;
    meet();
    apply(options.endpoints());
  };
  shared.onChange(take);

  const apply = (endpoints: readonly KnownEndpoint[]): void => {
    const values = known;
    for (const [label, former] of endpoints) {
      if (unsaved.has(label)) continue;
      const value = values.get(keyOf(label)) ?? formerValue(values, former) ?? "enabled";
      // Another version's word that is not known here changes nothing here.
      if (isMode(value)) options.apply(label, value);
    }
  };

  const meet = (): void => {
    for (const [key, mode] of known) {
      if (key.startsWith(keyOf("")) && mode !== "enabled") options.meet(key.slice(keyOf("").length));
    }
  };

  const saveUntilThere = async (label: string, mode: EndpointMode): Promise<void> => {
    const backoff = createBackoff({ initialMs: 250, maxMs: 5_000 });
    while (unsaved.get(label) === mode && !closing.signal.aborted) {
      try {
        await store(label, mode);
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
        const values = await shared.all();
        take(values);
        await adopt(values);
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) throw error;
        log.warn("the modes of endpoints could not be read yet; those not known count as enabled", { error });
      }
    },
    async save(label, mode) {
      await store(label, mode);
      unsaved.delete(label);
    },
    keep(label, mode) {
      unsaved.set(label, mode);
      void saveUntilThere(label, mode);
    },
    apply,
    meet,
    close: () => closing.abort(),
  };
}

function isMode(value: string): value is EndpointMode {
  return value === "enabled" || value === "paused" || value === "disabled";
}
