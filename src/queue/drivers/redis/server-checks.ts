import type { Clock } from "../../../clock.ts";
import type { ConfigError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import type { Finding } from "../../../problems/finding.ts";
import type { Durability } from "../../driver.ts";
import { readFacts, type ServerFacts } from "./facts.ts";
import { factsMismatch } from "./mismatch.ts";
import type { RedisDriverOptions } from "./options.ts";
import type { RedisServer } from "./server.ts";
import { createServerWatch } from "./server-watch.ts";
import type { Topology } from "./topology.ts";

/**
 * Looks at the servers in use: at the start, whenever one is connected anew (a restart, a failover), and when
 * somebody asks for the health, because settings change while Redis runs.
 */
export interface ServerChecks {
  /** What the server says of itself. Throws what `blame` makes of a server of the wrong kind. */
  look(server: RedisServer): Promise<ServerFacts>;
  /** As `look`, for when nobody waits for it; never rejects. */
  lookAgain(server: RedisServer): Promise<void>;
  /** Looks at all servers again, at most once a second; never rejects. */
  refresh(): Promise<void>;
  durability(): Durability;
  findings(): Finding[];
}

export interface ServerChecksOptions {
  readonly options: RedisDriverOptions;
  readonly topology: Topology;
  readonly clock: Clock;
  readonly log: Logger;
  /** As in TopologyContext. */
  readonly blame: (problem: ConfigError, isMismatch: boolean) => Error;
}

const freshMs = 1_000;

export function createServerChecks({
  options,
  topology,
  clock,
  log,
  blame,
}: ServerChecksOptions): ServerChecks {
  const watch = createServerWatch({ clock, log });
  let refreshedAt = Number.NEGATIVE_INFINITY;

  const look = async (server: RedisServer): Promise<ServerFacts> => {
    const commands = await server.commands();
    const askedAt = clock.now();
    const facts = await readFacts(commands);
    const mismatch = factsMismatch(facts, options);
    if (mismatch !== null) throw blame(mismatch, true);
    watch.saw(server.label, facts, { askedAt, answeredAt: clock.now() });
    return facts;
  };
  const lookAgain = async (server: RedisServer): Promise<void> => {
    try {
      await look(server);
    } catch (error) {
      // It is away again, or busy: whoever needs it says so, and the next look comes.
      log.debug("redis: the server's settings could not be read", { server: server.label, error });
    }
  };

  return {
    look,
    lookAgain,
    async refresh() {
      if (clock.monotonic() - refreshedAt < freshMs) return;
      refreshedAt = clock.monotonic();
      const servers = topology.servers();
      watch.keepOnly(new Set(servers.map(({ label }) => label)));
      await Promise.all(servers.map(lookAgain));
    },
    durability: () => watch.durability(),
    findings: () => watch.findings(),
  };
}
