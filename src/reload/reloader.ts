import type { Clock } from "../clock.ts";
import type { LoadedConfig } from "../config/load.ts";
import { compareConfigs, keepRestartKeys } from "../config/reload-kind.ts";
import type { Config } from "../config/schema.ts";
import { ConfigError, formatConfigIssue, type ConfigIssue } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Finding } from "../problems/finding.ts";
import { eachConfigEntry } from "../secrets/redacted-config.ts";

/** Who asked for a reload: a signal, a request, or a file that has changed. */
export type ReloadedBy = "signal" | "api" | "watch";

/** What became of a reload. */
export interface ReloadReport {
  /** unchanged: what was read is what is in force. refused: nothing has changed. */
  readonly status: "reloaded" | "unchanged" | "refused";
  /** Paths of the keys that differ and are in force now. */
  readonly changed: readonly string[];
  /** Paths of the keys that differ and wait for a restart; empty but after a partial reload. */
  readonly needsRestart: readonly string[];
  /** Why it was refused, all of it at once. */
  readonly issues: readonly ConfigIssue[];
}

/** Puts another configuration in force while the process runs (contract §7). */
export interface Reloader {
  /**
   * Reads the sources anew, checks them as a whole and puts them in force as a whole, or changes nothing. One at a
   * time: a second one waits, and reads what is there when its turn comes. Never rejects but for a bug.
   *
   * @param partial Puts in force what can be, where other keys need a restart.
   */
  reload(by: ReloadedBy, partial: boolean): Promise<ReloadReport>;
  /** What is in force, with the source of each value. */
  readonly loaded: LoadedConfig;
  /** That the last reload was refused, or that keys wait for a restart. */
  findings(): Finding[];
}

export interface ReloaderOptions {
  /** What is in force at the start. */
  readonly loaded: LoadedConfig;
  /** Reads file and NAME_FILE files anew; environment and flags are those of the start. Throws ConfigError. */
  readonly load: () => Promise<LoadedConfig>;
  /** What of a checked configuration some part of the process could not work with. */
  readonly check: (config: Config) => readonly ConfigIssue[];
  /** Puts it in force at once, in one step; resolves when other processes know of it too. Must not fail. */
  readonly apply: (config: Config) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "reloads" | "lastReload">;
  /** Told how each reload ended. */
  readonly onReport?: (report: ReloadReport, by: ReloadedBy) => void;
}

/** Most paths or issues in one log line. */
const mostInLine = 50;

export function createReloader(options: ReloaderOptions): Reloader {
  const { clock, log, metrics } = options;
  let { loaded } = options;
  let last: Promise<unknown> = Promise.resolve();
  let refused: { readonly since: number; readonly issues: readonly ConfigIssue[] } | null = null;
  let waiting: { readonly since: number; readonly paths: readonly string[] } | null = null;

  const refuse = (by: ReloadedBy, issues: readonly ConfigIssue[]): ReloadReport => {
    refused = { since: refused?.since ?? clock.now(), issues };
    log.error("the configuration is refused, and the one in force stays", {
      by,
      issues: issues.slice(0, mostInLine).map(formatConfigIssue),
      count: issues.length,
    });
    return { status: "refused", changed: [], needsRestart: [], issues };
  };

  const run = async (by: ReloadedBy, partial: boolean): Promise<ReloadReport> => {
    let next: LoadedConfig;
    try {
      next = await options.load();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return refuse(by, error.issues);
    }
    // Without its file a process would go on with the defaults alone, and give up every job of every app.
    if (loaded.file !== null && next.file === null) {
      const message = "the file is gone that was read before; put it back";
      return refuse(by, [{ path: "", source: `file ${loaded.file}`, message }]);
    }
    const issues = options.check(next.config);
    if (issues.length > 0) return refuse(by, issues);
    const changes = compareConfigs(loaded.config, next.config);
    const [live, restart] = [pathsOf(changes, "live"), pathsOf(changes, "restart")];
    if (restart.length > 0 && !partial)
      return refuse(
        by,
        restart.map((path) => restartIssue(path, next)),
      );

    refused = null;
    waiting = restart.length === 0 ? null : { since: waiting?.since ?? clock.now(), paths: restart };
    const config = restart.length === 0 ? next.config : keepRestartKeys(loaded.config, next.config);
    const { warnings } = loaded;
    loaded = withConfig(next, config);
    if (live.length > 0) await options.apply(config);
    for (const warning of next.warnings) if (!warnings.includes(warning)) log.warn(warning);
    const status = live.length > 0 ? "reloaded" : "unchanged";
    log[by === "watch" && status === "unchanged" ? "debug" : "info"](
      status === "reloaded"
        ? "the configuration is reloaded"
        : "the configuration is read again: nothing in it has changed",
      {
        by,
        changed: live.slice(0, mostInLine),
        count: live.length,
        needs_restart: restart.length === 0 ? undefined : restart.slice(0, mostInLine),
      },
    );
    return { status, changed: live, needsRestart: restart, issues: [] };
  };

  return {
    get loaded() {
      return loaded;
    },
    reload(by, partial) {
      const report = last.then(() => run(by, partial));
      last = report.then(
        (ended) => {
          const { status } = ended;
          options.onReport?.(ended, by);
          metrics.reloads.labels({ result: status }).inc();
          metrics.lastReload
            .labels({ result: status === "refused" ? "refused" : "accepted" })
            .set(clock.now() / 1000);
        },
        () => undefined,
      );
      return report;
    },
    findings() {
      const found: Finding[] = [];
      if (refused !== null) {
        const [first] = refused.issues;
        const others = refused.issues.length - 1;
        const detail = `${first === undefined ? "" : formatConfigIssue(first)}${others > 0 ? `; and ${others} more` : ""}`;
        found.push({ kind: "config_refused", object: "", since: refused.since, detail });
      }
      if (waiting !== null) {
        const detail = `these keys differ and need a restart: ${waiting.paths.slice(0, 10).join(", ")}`;
        found.push({ kind: "config_needs_restart", object: "", since: waiting.since, detail });
      }
      return found;
    },
  };
}

function pathsOf(changes: ReturnType<typeof compareConfigs>, kind: "live" | "restart"): string[] {
  return changes.filter((change) => change.kind === kind).map(({ path }) => path);
}

function restartIssue(path: string, { sourceOf }: LoadedConfig): ConfigIssue {
  const message =
    "it has changed, and needs a restart: restart, or put it back, or reload the rest with `partial`";
  return { path, source: sourceOf(path), message };
}

function withConfig(loaded: LoadedConfig, config: Config): LoadedConfig {
  if (config === loaded.config) return loaded;
  const eachEntry = () => eachConfigEntry(config, loaded.sourceOf);
  return { ...loaded, config, eachEntry, entries: () => [...eachEntry()] };
}
