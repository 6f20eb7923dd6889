import { createAdminApp, type AdminApp } from "./admin/app.ts";
import { createTokens } from "./admin/tokens.ts";
import { startAdminServer, type AdminServer } from "./admin/server.ts";
import { systemClock } from "./clock.ts";
import { orAborted, sleep } from "./wait.ts";
import type { LoadedConfig } from "./config/load.ts";
import { createDirectory } from "./delivery/directory.ts";
import type { Directory } from "./delivery/endpoint.ts";
import { createLive, findByLabel, hasEndpointNamed, type Live } from "./delivery/live.ts";
import { createTransports, transportIssues } from "./delivery/transports.ts";
import { DriverUnavailableError, formatConfigIssue } from "./errors.ts";
import { createFileHistory } from "./history/file/history.ts";
import { createHistory } from "./history/history.ts";
import { createLogger, type Logger } from "./log.ts";
import { createLossLog } from "./loss-log.ts";
import { createMask } from "./secrets/mask.ts";
import { createMemo } from "./memo.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { startCounters, startEndpointCounters } from "./metric-series.ts";
import type { Finding } from "./problems/finding.ts";
import { createOperatorEvents, type OperatorEvent } from "./worker/operator-events.ts";
import { createProblemNews } from "./worker/problem-news.ts";
import { createProblemList } from "./problems/list.ts";
import { createQueueWatch } from "./worker/queue-watch.ts";
import { createRecentDeaths, type Death } from "./problems/recent-deaths.ts";
import { loopFindings } from "./problems/loops.ts";
import { consumingOf, createDriver } from "./queue/create-driver.ts";
import { rankMarks } from "./queue/rank-marks.ts";
import { retryBounds, type RetryBounds } from "./queue/retry-bounds.ts";
import { createDrainReport, type DrainReport } from "./report.ts";
import { createRateCounts } from "./rates.ts";
import { createReloader, type ReloadedBy } from "./reload/reloader.ts";
import { createFileWatch } from "./reload/watch.ts";
import { childKind } from "./supervisor/child.ts";
import { collectGarbage } from "./runtime.ts";
import { createStoredReceivers } from "./stored/receivers.ts";
import { createSupervisor } from "./supervisor/supervisor.ts";
import { deadlineIn } from "./supervisor/shutdown.ts";
import { version } from "./version.ts";
import { createAttempter } from "./worker/attempt.ts";
import { createAttemptLog } from "./endpoints/log.ts";
import { createBackendFaults, openingFinding } from "./worker/backend-health.ts";
import { createBackoff } from "./backoff.ts";
import { createCertificateWatch } from "./endpoints/certificates.ts";
import { createEndpointGates } from "./endpoints/registry.ts";
import { createConsumption } from "./worker/consumption.ts";
import { restartPolicy } from "./worker/restart-policy.ts";
import { createStoredApps } from "./worker/stored-apps.ts";
import { createWriteWatch } from "./worker/write-watch.ts";

export interface HooklineOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration's sources anew, with the environment and flags of the start. Absent: no reload. */
  readonly load?: () => Promise<LoadedConfig>;
  /** Takes log lines; must not block. */
  readonly write: (line: string) => void;
}

/** A running hookline: the admin API, the driver and the workers. */
export interface Hookline {
  readonly log: Logger;
  readonly metrics: Metrics;
  /**
   * Listens, opens the driver and starts consuming.
   *
   * A backend that does not answer is waited for in the background while /health says so; a configuration
   * that cannot work throws ConfigError, a port in use HooklineError.
   */
  start(): Promise<{ readonly url: string }>;
  /** Puts what the sources hold now in force, or logs why not. Never rejects. */
  reload(by: ReloadedBy): Promise<void>;
  /** Drains within `shutdown_timeout_ms` and closes; `now` aborts what is in flight at once. Safe to call twice. */
  stop(options?: { readonly now?: boolean }): Promise<DrainReport>;
  /** What the API takes and answers: the text of GET /openapi.json. */
  openApi(): Promise<string>;
  /** Resolves when the process must end with exit code 1: restart intensity, or the driver's refusal after start. */
  readonly failed: Promise<Error>;
}

/** Age of the oldest ready job from which on a queue lags, where operator_events says nothing shorter. */
const defaultLagMs = 300_000;

/** From so many endpoints on, the garbage of a start is worth a collection of its own. */
const manyEndpoints = 1_000;

/** Parts of the shutdown time: attempts end by the first, giving back by the second, closing by the end. */
const shutdownShares = { attempts: 0.8, settling: 0.93 } as const;

/** Whether the text as a whole names a queue, an app or an endpoint by its label. */
function isShown(text: string, { config, directory }: Live): boolean {
  if (config.queue.queues.some(({ name }) => name === text)) return true;
  return directory.findApp(text, null) !== null || findByLabel(directory, text) !== null;
}

/** As isShown, and names of groups and webhooks, which by themselves may be other things too. */
function isName(text: string, live: Live): boolean {
  if (isShown(text, live) || live.config.queue.groups.some(({ name }) => name === text)) return true;
  return hasEndpointNamed(live.directory, text);
}

/** How far retries reach now, whatever has been put in force since. */
function liveRetryBounds(live: Live): RetryBounds {
  const boundsOf = createMemo(({ retries }: Directory) => retryBounds(retries));
  return {
    get scheduleMs() {
      return boundsOf(live.directory).scheduleMs;
    },
    get delaysMs() {
      return boundsOf(live.directory).delaysMs;
    },
    get maxAttempts() {
      return boundsOf(live.directory).maxAttempts;
    },
  };
}

/** Builds everything from a checked configuration; nothing runs before `start`. */
export async function createHookline({ loaded, load, write }: HooklineOptions): Promise<Hookline> {
  const { config } = loaded;
  const clock = systemClock;
  const startedAt = clock.monotonic();
  const live = createLive({ config, directory: createDirectory(config) });
  const secrets = createMask(config, {
    isName: (text) => isName(text, live),
    isShown: (text) => isShown(text, live),
  });
  live.onReplace(({ previous, next }) => {
    if (previous.config !== next.config) secrets.replace(previous.config, next.config);
  });
  const { mask } = secrets;
  const log = createLogger({
    get level() {
      return live.config.log.level;
    },
    get format() {
      return live.config.log.format;
    },
    write,
    mask,
    now: () => clock.now(),
  });
  const metrics = createMetrics();
  const tokens = createTokens(config.server);
  const reloader = createReloader({
    loaded,
    load: load ?? (() => Promise.resolve(reloader.loaded)),
    check: transportIssues,
    async apply(next) {
      live.replace({ config: next, directory: stored.directoryOf(next) });
      await moveRanks();
    },
    clock,
    log,
    metrics,
    onReport({ status, changed, issues }, by) {
      const some = { by, count: status === "refused" ? issues.length : changed.length };
      if (status === "reloaded") {
        tell({ type: "config.reloaded", object: "", data: { ...some, changed: changed.slice(0, 50) } });
      }
      if (status === "refused") {
        const data = { ...some, issues: issues.slice(0, 50).map(formatConfigIssue) };
        tell({ type: "config.refused", object: "", data });
      }
    },
  });
  const watch = createFileWatch({
    files: () => reloader.loaded.files,
    onChange: () => reload("watch"),
  });
  const reload = async (by: ReloadedBy): Promise<void> => {
    if (stopping !== null) return;
    try {
      await reloader.reload(by, live.config.reload.partial);
    } catch (error) {
      log.error("the configuration could not be reloaded; this is a bug", { error });
    }
  };
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();

  const deaths = createRecentDeaths(clock);
  /** `events` is made below, of what is made between. */
  const tell = (event: OperatorEvent): void => events.tell(event);
  const onDead = (death: Death): void => {
    deaths.add(death);
    const { queue, jobId, reason, endpoint } = death;
    const data = { queue, endpoint, reason, job_id: jobId };
    tell({ type: "job.dead", object: `${endpoint ?? queue} ${reason}`, data });
  };
  const losses = createLossLog(log, metrics, onDead);
  const driver = await createDriver(config, {
    clock,
    log,
    events: losses,
    retries: liveRetryBounds(live),
    findApp: (id, key) => live.directory.findApp(id, key),
    fail,
  });
  const supervisor = createSupervisor({
    ...restartPolicy(config),
    clock,
    log,
    onRestart(id) {
      metrics.restarts.labels({ child: childKind(id) }).inc();
      tell({ type: "loop.restarted", object: childKind(id), data: { child: id } });
    },
  });
  const stored = createStoredReceivers({
    store: driver.records,
    driver: driver.name,
    live,
    secrets,
    clock,
    log,
  });
  const gates = createEndpointGates({
    live,
    clock,
    log,
    shared: driver.shared,
    scope: driver.capabilities.pauseScope,
    onNews: (object, type, data) => tell({ type, object, data: { ...data, endpoint: object } }),
  });
  const transports = createTransports({ config, mask });
  const certificates = createCertificateWatch({ clock, log });
  const attempts = createAttemptLog({ now: () => clock.now() });
  const rates = createRateCounts(() => clock.now());
  const historyOptions = { settings: () => live.config.history, clock, now: () => clock.now(), log, metrics };
  const history =
    config.history.path === null
      ? createHistory(historyOptions)
      : createFileHistory({ ...historyOptions, path: config.history.path, mask });
  const attempter = createAttempter({
    transportOf: ({ endpoint }) => transports.of(endpoint),
    clock,
    metrics,
    log,
    isTraced: () => live.config.history.enabled,
    isInForce: (label) => findByLabel(live.directory, label) !== null,
  });
  live.onReplace(({ previous, next, added, changed, removed }) => {
    if (previous.config !== next.config) {
      transports.follow(next.config);
      tokens.replace(next.config.server);
    }
    for (const endpoint of [...removed, ...changed.map(({ before }) => before)]) transports.forget(endpoint);
    for (const { label } of removed) {
      attempts.forget(label);
      rates.forget(label);
      certificates.forget(label);
      attempter.forget(label);
    }
    if (next.directory.size > next.config.metrics.endpoint_series) return;
    for (const { label } of added) startEndpointCounters(metrics, label);
  });

  const queueNames = config.queue.queues.map(({ name }) => name);
  startCounters(metrics, {
    queues: queueNames,
    driver: driver.name,
    endpoints: live.directory.endpoints.slice(0, config.metrics.endpoint_series).map(({ label }) => label),
  });
  const faults = createBackendFaults(log, clock);
  const consumption = createConsumption({
    live,
    driver,
    consuming: consumingOf,
    gates,
    stored: createStoredApps(stored),
    attempt: (delivery, cut) => attempter.attempt(delivery, cut),
    record: (...made) => {
      certificates.ended(made[0].endpoint.label, made[1]);
      attempts.record(...made);
      rates.record(...made);
      history.record(...made);
    },
    onDead,
    mask,
    faults,
    supervisor,
    clock,
    metrics,
    log,
  });

  const queueWatch = createQueueWatch({
    driver,
    queues: queueNames,
    lagMs: () => Math.min(defaultLagMs, ...live.config.operator_events.map(({ lag_ms }) => lag_ms)),
    retention: () => live.config.queue.reliability.failed_retention,
    retentionMs: () => live.config.queue.reliability.failed_retention_ms,
    deaths,
    clock,
    log,
  });
  const writes = createWriteWatch({ driver, queues: queueNames, faults, clock, isOpen: () => driverOpen });
  const events = createOperatorEvents({
    receivers: () => live.config.operator_events,
    firstQueue: queueNames[0] ?? "",
    enqueue: (queue, jobs) => writes.enqueue(queue, jobs),
    isOpen: () => driverOpen && stopping === null && driver.capabilities.discards !== true,
    deduplicates: driver.capabilities.dedup,
    mask,
    clock,
    log,
  });
  let driverOpen = false;
  /** Why the driver could not be opened at the last try; empty when it could. */
  let openFault: readonly Finding[] = [];
  let stopping: Promise<DrainReport> | null = null;
  const hurry = new AbortController();
  const closing = new AbortController();

  const problems = createProblemList([
    () => openFault,
    () => reloader.findings(),
    () => driver.problems?.() ?? [],
    () => faults.findings(),
    () => loopFindings(supervisor.children()),
    () => gates.problems(),
    () => certificates.findings(),
    () => deaths.findings(),
    () => queueWatch.findings(),
    () => stored.findings(),
    () => history.findings(),
  ]);
  const news = createProblemNews({ problems, events, refresh: () => driver.ping(closing.signal) });
  live.onReplace(({ next }) => news.setOn(driverOpen && next.config.operator_events.length > 0));
  const admin: AdminApp = createAdminApp({
    live,
    tokens,
    driver,
    stored,
    receivers: {
      app: (value) => reloader.loaded.receivers.app(value),
      endpoint: (name, value) => reloader.loaded.receivers.endpoint(name, value),
    },
    writes,
    queues: queueNames,
    supervisor,
    gates,
    attempts,
    rates,
    history,
    transportOf: (endpoint) => transports.of(endpoint),
    closing: closing.signal,
    metrics,
    endpointMetrics: {
      metrics,
      clock,
      gates,
      waiting: () => consumption.waiting(),
      endpoints: () => live.directory.size,
      isEndpoint: (label) => findByLabel(live.directory, label) !== null,
      mostEndpoints: () => live.config.metrics.endpoint_series,
    },
    clock,
    log,
    mask,
    version,
    startedAt,
    configEntries: () => reloader.loaded.eachEntry(),
    reload: (partial) => reloader.reload("api", partial),
    state: () => ({
      draining: stopping !== null,
      driverOpen,
    }),
    problems,
  });
  let server: AdminServer | null = null;

  let isConnected = false;
  const open = async (): Promise<void> => {
    if (!isConnected) await driver.open(closing.signal);
    isConnected = true;
    await gates.load();
    await stored.load();
    // What reading them left behind is a third of the process; nothing waits for it yet.
    if (live.directory.size > manyEndpoints) collectGarbage();
    // Before anything is accepted: from then on it is routed by a configuration at least as new, wherever it is leased.
    if (live.config.queue.consume) await driver.ranks?.join(rankMarks(live.config));
    driverOpen = true;
    openFault = [];
    if (closing.signal.aborted) return;
    consumption.start();
    void queueWatch.run(closing.signal);
    news.setOn(live.config.operator_events.length > 0);
  };
  /** What is accepted from now on is routed by a configuration at least as new, wherever it is leased. */
  const moveRanks = async (): Promise<void> => {
    if (!driverOpen || stopping !== null || !live.config.queue.consume) return;
    await driver.ranks?.join(rankMarks(live.config));
  };
  /** Reconnects for ever; only what waiting cannot mend ends the process. */
  const openLater = async (): Promise<void> => {
    const backoff = createBackoff({ initialMs: 250, maxMs: 5_000 });
    while (!closing.signal.aborted) {
      await sleep(backoff.next(), closing.signal);
      if (closing.signal.aborted) return;
      try {
        await open();
        log.info("the backend can be used; consuming", { driver: driver.name });
        return;
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) {
          fail(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        openFault = [openingFinding(error, openFault[0]?.since ?? clock.now())];
      }
    }
  };

  const stop = async (): Promise<DrainReport> => {
    watch.close();
    news.setOn(false);
    driver.ranks?.leave();
    const totalMs = live.config.queue.reliability.shutdown_timeout_ms;
    const end = deadlineIn(totalMs, hurry.signal);
    const hard = deadlineIn(totalMs * shutdownShares.settling, hurry.signal);
    const soft = deadlineIn(totalMs * shutdownShares.attempts, hurry.signal);
    // A start that failed has said so; nothing was taken in that could be counted.
    const hasRun = server !== null;
    closing.abort();
    if (hasRun) log.info("draining", { timeout_ms: totalMs });
    try {
      await orAborted(Promise.all([admin.flush(), admin.stopOperations()]), hard.signal);
      await consumption.drain(soft.signal, hard.signal);
      await supervisor.stop(() => true, 250);
      const report = await createDrainReport({ driver, driverOpen, metrics, config, signal: hard.signal });
      stored.close();
      gates.close();
      writes.close();
      await orAborted(history.close(hard.signal), hard.signal);
      losses.flush();
      const closed = Promise.allSettled([
        transports.close(),
        driver.close(),
        server?.stop(Math.min(500, totalMs)),
      ]);
      await orAborted(closed, end.signal);
      if (hasRun) log.info("stopped", { ...report });
      return report;
    } finally {
      for (const deadline of [end, hard, soft]) deadline.clear();
    }
  };

  void supervisor.failed.then(fail);
  void driver.refused?.then(fail);
  return {
    log,
    metrics,
    failed,
    async start() {
      for (const warning of loaded.warnings) log.warn(warning);
      await history.open();
      server = await startAdminServer({
        app: admin,
        host: config.server.host,
        port: config.server.port,
        log,
        mask,
      });
      try {
        await open();
      } catch (error) {
        if (!(error instanceof DriverUnavailableError)) {
          await server.stop(0);
          server = null;
          await driver.close();
          throw error;
        }
        openFault = [openingFinding(error, clock.now())];
        log.warn("the backend cannot be used yet; trying until it can", { driver: driver.name, error });
        void openLater();
      }
      log.info(driverOpen ? "ready" : "listening; nothing is consumed until the backend can be used", {
        version,
        url: server.url,
        driver: driver.name,
        durable: driver.durable?.() ?? driver.capabilities.durable,
        queues: queueNames,
        concurrency: consumingOf(live.config).concurrency,
        config_file: loaded.file ?? undefined,
        start_ms: Math.round(clock.monotonic() - startedAt),
      });
      // The first look reloads: the files may have changed since they were read.
      if (load !== undefined) {
        watch.setOn(live.config.reload.watch);
        live.onReplace(({ next }) => watch.setOn(next.config.reload.watch && stopping === null));
      }
      return { url: server.url };
    },
    reload,
    openApi: () => admin.openApi(),
    stop(options) {
      if (options?.now === true) hurry.abort();
      stopping ??= stop();
      return stopping;
    },
  };
}
