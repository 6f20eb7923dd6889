import type { Clock } from "../../../clock.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { ProblemKind } from "../../../problems/kinds.ts";
import type { Durability } from "../../driver.ts";
import type { ServerFacts } from "./facts.ts";

/**
 * What the settings of the servers mean for the jobs on them: whether they are kept, whether they may be evicted.
 *
 * Each problem of each server is logged when it is first seen and when it is gone. A server that is no longer used is
 * forgotten without a word.
 */
export interface ServerWatch {
  /** Takes in what a server said of itself, and when it was asked and had answered by this process' clock. */
  saw(label: string, facts: ServerFacts, asked: Asked): void;
  /** Forgets all servers but these. */
  keepOnly(labels: ReadonlySet<string>): void;
  /** What the weakest of the servers keeps. */
  durability(): Durability;
  findings(): Finding[];
}

/** Epoch ms. */
export interface Asked {
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Signatures are good for five minutes at most receivers, and ages are shown in seconds. */
const clockToleranceMs = 30_000;
const nearlyFull = 0.8;

/** The weakest first. */
const order: readonly Durability[] = [false, "unknown", "snapshots", true];

interface Trouble {
  readonly kind: ProblemKind;
  /** The same for as long as it stands: what changes is said by `figures`. */
  readonly text: string;
  readonly figures?: string;
  readonly over: string;
}

interface Seen {
  durability: Durability;
  /** Trouble by its text, with the time at which it was first seen. */
  troubles: ReadonlyMap<string, Trouble & { readonly since: number }>;
}

export function createServerWatch({
  clock,
  log,
}: {
  readonly clock: Clock;
  readonly log: Logger;
}): ServerWatch {
  const servers = new Map<string, Seen>();

  return {
    saw(label, facts, asked) {
      const before = servers.get(label)?.troubles ?? new Map<string, never>();
      const durability = durabilityOf(facts);
      const now = [...troublesOf(facts, durability), ...memoryTrouble(facts), ...clockTrouble(facts, asked)];
      for (const { kind, text } of now) {
        if (before.has(text)) continue;
        if (kind === "durability_unknown") log.info(`redis: ${text}`, { server: label });
        else log.warn(`redis: ${text}`, { server: label });
      }
      for (const [text, { over }] of before) {
        if (!now.some((trouble) => trouble.text === text)) log.info(`redis: ${over}`, { server: label });
      }
      const troubles = now.map((trouble) => ({
        ...trouble,
        since: before.get(trouble.text)?.since ?? clock.now(),
      }));
      servers.set(label, {
        durability,
        troubles: new Map(troubles.map((trouble) => [trouble.text, trouble])),
      });
    },

    keepOnly(labels) {
      for (const label of servers.keys()) if (!labels.has(label)) servers.delete(label);
    },

    durability() {
      const seen = [...servers.values()].map(({ durability }) => durability);
      return order.find((durability) => seen.includes(durability)) ?? "unknown";
    },

    findings: () =>
      [...servers].flatMap(([label, { troubles }]) =>
        [...troubles.values()].map(({ kind, text, figures, since }): Finding => ({
          kind,
          object: "",
          since,
          detail: `${label}: ${text}${figures === undefined ? "" : ` (${figures})`}`,
          openDetail: text,
        })),
      ),
  };
}

/** What a server keeps of what it has confirmed. */
export function durabilityOf({ keepsLog, makesSnapshots }: ServerFacts): Durability {
  if (keepsLog === true) return true;
  if (keepsLog === null || makesSnapshots === null) return "unknown";
  return makesSnapshots ? "snapshots" : false;
}

function memoryTrouble({ usedMemory, maxMemory }: ServerFacts): Trouble[] {
  if (usedMemory === null || maxMemory === null || usedMemory < maxMemory * nearlyFull) return [];
  return [
    {
      kind: "store_nearly_full",
      text: "Redis' memory is nearly full. Remove what is not needed, or raise maxmemory",
      figures: `${Math.round((100 * usedMemory) / maxMemory)} % of ${maxMemory} bytes`,
      over: "Redis' memory has room again",
    },
  ];
}

function clockTrouble({ timeMs }: ServerFacts, { askedAt, answeredAt }: Asked): Trouble[] {
  if (timeMs === null) return [];
  // It was read at some time between the two.
  const offMs = Math.max(askedAt - timeMs, timeMs - answeredAt);
  if (offMs < clockToleranceMs) return [];
  const direction = timeMs > answeredAt ? "behind" : "ahead of";
  return [
    {
      kind: "clock_off",
      text: `this machine's clock is ${direction} that of Redis. Set the one that is wrong`,
      figures: `by ${Math.round(offMs / 1000)} s`,
      over: "this machine's clock and that of Redis agree again",
    },
  ];
}

function troublesOf({ policy }: ServerFacts, durability: Durability): Trouble[] {
  const troubles: Trouble[] = [];
  if (policy !== null && policy !== "noeviction") {
    troubles.push({
      kind: "backend_settings",
      text: `maxmemory-policy is not noeviction but ${policy}: when memory is full, Redis deletes jobs. Set it to noeviction`,
      over: "maxmemory-policy is noeviction now",
    });
  }
  if (durability === false) {
    troubles.push({
      kind: "not_durable",
      text: "appendonly is off and there are no snapshots: all jobs are lost when Redis stops. Set appendonly to yes",
      over: "jobs are written to disk now",
    });
  }
  if (durability === "snapshots") {
    troubles.push({
      kind: "snapshots_only",
      text: "appendonly is off: what was written since the last snapshot is lost when Redis crashes. Set appendonly to yes",
      over: "the append-only file is on, or snapshots are off, now",
    });
  }
  if (durability === "unknown") {
    troubles.push({
      kind: "durability_unknown",
      text: "it cannot be told whether Redis writes jobs to disk, because INFO or CONFIG GET save is refused",
      over: "Redis tells now whether it writes jobs to disk",
    });
  }
  return troubles;
}
