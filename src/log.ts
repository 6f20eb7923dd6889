import { showInLine } from "./terminal.ts";

/** Fields of a log line; `undefined` values are left out. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Structured log: one JSON object a line, or a readable line with `format: "pretty"`. */
export interface Logger {
  readonly level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** Read anew for each line, as the format is: both may change while the process runs. */
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  /** Takes one line, newline included. Must not block: a stalled log reader must not stall deliveries. */
  readonly write: (line: string) => void;
  /** Replaces every secret in a text (secrets/mask.ts); applied to each string that leaves. */
  readonly mask: (text: string) => string;
  readonly now: () => number;
}

const severity: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

/**
 * A logger; errors among the fields are written as `{name, message, code}`, at level error and debug with their stack:
 * a warning tells an operator what to do, and the stack of a minified program does not.
 *
 * Controls are escaped in both formats (terminal.ts): a log is read on a terminal, sooner or later.
 */
export function createLogger(options: LoggerOptions, bound: LogFields = {}): Logger {
  const emit = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (severity[level] < severity[options.level]) return;
    const time = new Date(options.now()).toISOString();
    const entry = { time, level, msg: message, ...bound, ...fields };
    const withStacks = level === "error" || level === "debug";
    const replace = maskStrings(options.mask, withStacks, entry);
    const text =
      options.format === "json" ? JSON.stringify(entry, replace) : prettyLine(entry, options.mask, replace);
    options.write(`${showInLine(text)}\n`);
  };
  return {
    get level() {
      return options.level;
    },
    debug: (message, fields) => emit("debug", message, fields),
    info: (message, fields) => emit("info", message, fields),
    warn: (message, fields) => emit("warn", message, fields),
    error: (message, fields) => emit("error", message, fields),
    child: (fields) => createLogger(options, { ...bound, ...fields }),
  };
}

/** A logger that drops everything, for tests and for code that runs before the configuration is known. */
export const silentLogger: Logger = createLogger({
  level: "error",
  format: "json",
  write: () => undefined,
  mask: (text) => text,
  now: () => 0,
});

type Replace = (key: string, value: unknown) => unknown;

/** @param entry The line itself: its own time and level are no texts of others. */
function maskStrings(mask: (text: string) => string, withStacks: boolean, entry: object): Replace {
  return function (this: unknown, key, value) {
    if (this === entry && (key === "time" || key === "level")) return value;
    if (typeof value === "string") return mask(value);
    if (typeof value === "bigint") return value.toString();
    if (!(value instanceof Error)) return value;
    const { stack, ...described } = describeError(value);
    return withStacks && stack !== undefined ? { ...described, stack } : described;
  };
}

/** What a log line or a worker's `last_error` says of an exception. */
export function describeError(error: unknown): {
  name: string;
  message: string;
  code?: string;
  stack?: string;
} {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: error.message,
    ...(typeof code === "string" ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

function prettyLine(
  entry: Record<string, unknown>,
  mask: (text: string) => string,
  replace: Replace,
): string {
  const { time, level, msg, ...rest } = entry;
  const clock = String(time).slice(11, 23);
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) => `${key}=${typeof value === "string" ? mask(value) : JSON.stringify(value, replace)}`,
    )
    .join(" ");
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${mask(String(msg))}${details === "" ? "" : `  ${details}`}`;
}
