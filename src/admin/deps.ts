import type { Clock } from "../clock.ts";
import type { ConfigEntry } from "../secrets/redacted-config.ts";
import type { ReceiverCheck } from "../config/receiver-check.ts";
import type { StoredReceivers } from "../stored/receivers.ts";
import type { Endpoint } from "../delivery/endpoint.ts";
import type { Live } from "../delivery/live.ts";
import type { Transport } from "../delivery/transport.ts";
import type { History } from "../history/history.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { ReloadReport } from "../reload/reloader.ts";
import type { ProblemList } from "../problems/list.ts";
import type { QueueDriver } from "../queue/driver.ts";
import type { SupervisorView } from "../supervisor/child.ts";
import type { RateCounts } from "../rates.ts";
import type { AttemptLog } from "../endpoints/log.ts";
import type { EndpointMetricsOptions } from "../worker/endpoint-metrics.ts";
import type { EndpointGates } from "../endpoints/registry.ts";
import type { Tokens } from "./tokens.ts";
import type { WriteWatch } from "../worker/write-watch.ts";

/** What the process is at right now, beyond what driver and supervisor tell themselves. */
export interface ProcessState {
  /** SIGTERM was received: nothing is leased and nothing more is taken in. */
  readonly draining: boolean;
  /** driver.open has resolved. */
  readonly driverOpen: boolean;
}

/** Everything the admin API needs of the process; built in src/app.ts. */
export interface AdminDeps {
  /** The configuration and the receivers in force: to be read anew for each request. */
  readonly live: Live;
  /** Who may use /v1. */
  readonly tokens: Pick<Tokens, "current">;
  readonly driver: QueueDriver;
  /** What the API stores: apps and named endpoints. */
  readonly stored: StoredReceivers;
  /** Checks them as the configuration's own are checked. */
  readonly receivers: ReceiverCheck;
  /** Enqueues go through it, so that it can tell whether the backend takes them. */
  readonly writes: WriteWatch;
  /** Names of queue.queues, in order. */
  readonly queues: readonly string[];
  readonly supervisor: SupervisorView;
  readonly gates: EndpointGates;
  /** The delivery log. */
  readonly attempts: Pick<AttemptLog, "list">;
  /** How many attempts of this process went well lately. */
  readonly rates: Pick<RateCounts, "ofQueue" | "ofEndpoint">;
  /** The deliveries of this process. */
  readonly history: Pick<History, "list" | "find" | "ids" | "recordCancelled">;
  /** What carries attempts to an endpoint, for test deliveries. */
  readonly transportOf: (endpoint: Endpoint) => Transport;
  /** Aborts when the process begins to stop. */
  readonly closing: AbortSignal;
  readonly metrics: Metrics;
  /** What the endpoints' gauges are set from. */
  readonly endpointMetrics: EndpointMetricsOptions;
  readonly clock: Clock;
  readonly log: Logger;
  /** Replaces every secret in a text. */
  readonly mask: (text: string) => string;
  readonly version: string;
  /** `clock.monotonic()` at the start of the process. */
  readonly startedAt: number;
  configEntries(): Iterable<ConfigEntry>;
  /** Puts what the sources hold now in force. */
  reload(partial: boolean): Promise<ReloadReport>;
  state(): ProcessState;
  /** What stands wrong: behind /health, /metrics and GET /v1/problems. */
  readonly problems: ProblemList;
}
