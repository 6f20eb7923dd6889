import * as v from "valibot";
import { createAdminApp, type AdminApp } from "../../src/admin/app.ts";
import type { AdminDeps, ProcessState } from "../../src/admin/deps.ts";
import { createTokens } from "../../src/admin/tokens.ts";
import { startAdminServer } from "../../src/admin/server.ts";
import { systemClock, type Clock } from "../../src/clock.ts";
import { configSchema, type ConfigInput } from "../../src/config/schema.ts";
import { createDirectory } from "../../src/delivery/directory.ts";
import { createHistory } from "../../src/history/history.ts";
import { createReceiverCheck } from "../../src/config/receiver-check.ts";
import { createStoredReceivers } from "../../src/stored/receivers.ts";
import { createLogger } from "../../src/log.ts";
import type { Transport } from "../../src/delivery/transport.ts";
import { createLive } from "../../src/delivery/live.ts";
import { createTransports } from "../../src/delivery/transports.ts";
import { createMetrics } from "../../src/metrics.ts";
import type { Finding } from "../../src/problems/finding.ts";
import { createProblemList } from "../../src/problems/list.ts";
import type { QueueDriver } from "../../src/queue/driver.ts";
import { createMemoryDriver } from "../../src/queue/drivers/memory/driver.ts";
import { openApiDocument } from "../../src/admin/openapi/document.ts";
import { createApiCheck, type ApiDocument, type SeenAnswer } from "../support/api-check.ts";
import { until } from "../support/until.ts";
import type { ChildRequest, ChildStatus } from "../../src/supervisor/child.ts";
import { createRateCounts } from "../../src/rates.ts";
import { createAttemptLog } from "../../src/endpoints/log.ts";
import { createBackendFaults } from "../../src/worker/backend-health.ts";
import { createEndpointGates } from "../../src/endpoints/registry.ts";
import { createWriteWatch } from "../../src/worker/write-watch.ts";

export const token = "operator-token-of-this-test";
export const appSecret = "app-secret-that-nobody-may-see";

/** The admin API on a real socket over a real memory driver, and handles on what stands behind it. */
export type Admin = Awaited<ReturnType<typeof startAdmin>>;

export interface AdminSetup {
  config?: ConfigInput;
  /** Wraps or replaces the memory driver. */
  driver?: (memory: QueueDriver) => QueueDriver;
  children?: ChildStatus[];
  deadLetterRetention?: number;
  clock?: Clock;
  configEntries?: AdminDeps["configEntries"];
  reload?: AdminDeps["reload"];
  /** Stands in for the transport of test deliveries. */
  transport?: Transport;
}

export const app1: NonNullable<ConfigInput["apps"]>[number] = {
  id: "app-1",
  key: "app-key",
  secret: appSecret,
  webhooks: [{ name: "hook", url: "http://127.0.0.1:1/", event_types: ["channel_occupied"] }],
};

export async function startAdmin(setup: AdminSetup = {}) {
  const config = v.parse(configSchema, { apps: [app1], ...setup.config });
  const clock = setup.clock ?? systemClock;
  const queues = config.queue.queues.map(({ name }) => name);
  const ignore = (): void => undefined;
  const memory = createMemoryDriver({
    queues,
    capacity: config.queue.memory.capacity,
    whenFull: config.queue.memory.when_full,
    deadLetterRetention: setup.deadLetterRetention ?? 1000,
    deduplicationTtlMs: 300_000,
    clock,
    events: { evicted: ignore, trimmed: ignore, reclaimed: ignore },
  });
  const driver = setup.driver?.(memory) ?? memory;
  const state: { -readonly [Key in keyof ProcessState]: ProcessState[Key] } = {
    draining: false,
    driverOpen: true,
  };
  const findings: Finding[] = [];
  const asked: string[] = [];
  const children = setup.children ?? [runningChild("webhooks/loop-0"), runningChild("webhooks/settler")];
  const ask =
    (verb: string) =>
    (id: string): ChildRequest => {
      asked.push(`${verb} ${id}`);
      const child = children.find((one) => one.id === id);
      if (child === undefined) return "unknown";
      return child.state === "running" || verb === "restart" ? "done" : "not_running";
    };
  const logged: string[] = [];
  const mask = (text: string): string => text.replaceAll(appSecret, "***").replaceAll(token, "***");
  const log = createLogger({
    level: "debug",
    format: "json",
    write: (line) => void logged.push(line),
    mask,
    now: () => clock.now(),
  });
  const metrics = createMetrics();
  const faults = createBackendFaults(log, clock);
  const writes = createWriteWatch({ driver, queues, faults, clock, isOpen: () => state.driverOpen });
  const live = createLive({ config, directory: createDirectory(config) });
  const stored = createStoredReceivers({
    store: driver.records,
    driver: driver.name,
    live,
    secrets: { replace: ignore },
    clock,
    log,
  });
  const gates = createEndpointGates({ live, clock, log, shared: driver.shared });
  const attempts = createAttemptLog({ now: () => clock.now() });
  const transports = createTransports({ config, mask });
  const closing = new AbortController();
  const tokens = createTokens(config.server);
  const deps: AdminDeps = {
    live,
    tokens,
    driver,
    stored,
    receivers: createReceiverCheck({}),
    writes,
    queues,
    supervisor: {
      children: () => children,
      restart: ask("restart"),
      crash: ask("crash"),
      stall: ask("stall"),
    },
    gates,
    attempts,
    rates: createRateCounts(() => clock.now()),
    history: createHistory({ settings: () => config.history, now: () => clock.now() }),
    transportOf: (endpoint) => setup.transport ?? transports.of(endpoint),
    closing: closing.signal,
    metrics,
    endpointMetrics: {
      metrics,
      clock,
      gates,
      waiting: () => [],
      endpoints: () => live.directory.size,
      isEndpoint: () => true,
      mostEndpoints: () => config.metrics.endpoint_series,
    },
    clock,
    log,
    mask,
    version: "1.2.3",
    startedAt: clock.monotonic() - 5000,
    configEntries: setup.configEntries ?? (() => []),
    reload: setup.reload ?? (() => Promise.reject(new Error("this test reloads nothing"))),
    state: () => state,
    problems: createProblemList([() => findings, () => faults.findings()]),
  };
  const app = createAdminApp(deps);
  const watched = watchAnswers(app);
  const server = await startAdminServer({ app: watched, host: config.server.host, port: 0, mask, log });
  const authorization: Record<string, string> =
    config.server.token === null ? {} : { authorization: `Bearer ${config.server.token}` };

  /** One request, with the token where one is configured and a JSON content type where there is a body. */
  const request = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}${path}`, {
      ...init,
      headers: {
        ...authorization,
        ...(init.body === undefined || init.body === null ? {} : { "content-type": "application/json" }),
        ...(init.headers as Record<string, string> | undefined),
      },
    });

  return {
    ...server,
    app,
    tokens,
    driver,
    memory,
    live,
    directory: live.directory,
    gates,
    attempts,
    closing,
    metrics,
    state,
    /** What the parts of the process report. */
    findings,
    asked,
    logged,
    request,
    get: (path: string) => request(path),
    post: (path: string, value: unknown, headers: Record<string, string> = {}) =>
      request(path, {
        method: "POST",
        body: typeof value === "string" ? value : JSON.stringify(value),
        headers,
      }),
    /** Flushes again and again until the requests are answered: when they arrive is theirs to say. */
    async flushUntilSettled(requests: Promise<unknown>[]): Promise<void> {
      let pending = true;
      void Promise.allSettled(requests).then(() => (pending = false));
      await until(
        async () => {
          await app.flush();
          return !pending;
        },
        { what: "the batched requests to be answered" },
      );
    },
    async stop(deadlineMs = 1000): Promise<void> {
      closing.abort();
      writes.close();
      gates.close();
      await transports.close();
      await server.stop(deadlineMs);
      watched.requireDescribed();
    },
  };
}

/** The app, and whether each of its answers is as /openapi.json says. */
function watchAnswers(app: AdminApp): AdminApp & { requireDescribed(): void } {
  const seen: SeenAnswer[] = [];
  return {
    ...app,
    async answer(incoming) {
      const reply = await app.answer(incoming);
      seen.push({ method: incoming.method, target: incoming.target, ...reply });
      return reply;
    },
    requireDescribed() {
      const document = openApiDocument(app.routes, "1.2.3") as unknown as ApiDocument;
      const check = createApiCheck(document);
      const violations = new Set(seen.splice(0).flatMap((one) => check.violations(one)));
      if (violations.size > 0) {
        throw new Error(`answers are not as src/admin describes them:\n${[...violations].join("\n")}`);
      }
    },
  };
}

export function runningChild(id: string): ChildStatus {
  return {
    id,
    state: "running",
    restarts: 0,
    lastError: null,
    downSince: null,
    lastProgressAt: 1_700_000_000_000,
    progressAgeMs: 12,
  };
}

/** A job in Sockudo's form for app-1. */
export function sockudoJob(channel = "room", extra: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    app_key: "app-key",
    app_id: "app-1",
    app_secret: appSecret,
    payload: { time_ms: 1, events: [{ name: "channel_occupied", channel }] },
    original_signature: "label",
    ...extra,
  };
}
