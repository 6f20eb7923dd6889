import { ReplyError } from "ioredis";
import {
  ConfigError,
  DriverUnavailableError,
  HooklineError,
  QueueBrokenError,
  QueueFullError,
} from "../../../errors.ts";

/**
 * Codes that say: not now, or not from this server. The command had no effect. Every other code says that somebody must
 * mend something; the caller tries again all the same, because no reply is a reason to end a process.
 */
const passing = new Set([
  "ASK",
  "BUSY",
  "CLUSTERDOWN",
  "LOADING",
  "MASTERDOWN",
  "MISCONF",
  "MOVED",
  "NOAUTH",
  "NOREPLICAS",
  "READONLY",
  "TRYAGAIN",
  "UNBLOCKED",
  "WRONGPASS",
]);

/** TLS codes of Node's that an operator must act on: the other side is there, its certificate is not accepted. */
const certificateCode =
  /^(CERT_|ERR_TLS_CERT|ERR_SSL|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|ERR_OSSL)/;

/**
 * The code of an error reply: its first word, as Redis defines it ("Redis serialization protocol", Simple
 * errors). An error inside a script keeps its code on Redis 7; Redis 6 wraps it. Null for anything that
 * is not a reply.
 */
export function replyCode(error: unknown): string | null {
  if (!(error instanceof Error) || !(error instanceof ReplyError)) return null;
  const [code = ""] = error.message.split(" ", 1);
  if (code !== "ERR") return code;
  return /^ERR Error (?:running|compiling) script.*?: -([A-Z]+) /.exec(error.message)?.[1] ?? code;
}

/**
 * The error a caller of the driver sees. Replies are told apart by their code; whatever else the client
 * library rejects with is about the connection. Programming errors and hookline's own pass unchanged.
 */
export function translateError(error: unknown, what: string): Error {
  if (error instanceof HooklineError || error instanceof ConfigError) return error;
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
    return error;
  if (!(error instanceof Error)) return new DriverUnavailableError(`redis: ${what}: ${String(error)}`);
  const code = replyCode(error);
  if (code === "OOM") {
    return new QueueFullError(
      `redis: ${what} was refused because Redis has reached maxmemory; let consumers drain it or raise the limit`,
      { cause: error },
    );
  }
  if (isLostConnection(error)) {
    return new DriverUnavailableError(`redis: ${what}: the connection was lost before the answer came`, {
      cause: error,
    });
  }
  if (code === null) return new DriverUnavailableError(`redis: ${what}: ${error.message}`, { cause: error });
  if (passing.has(code)) {
    return new DriverUnavailableError(`redis: ${what}: ${error.message}`, { cause: error, refusal: code });
  }
  return new QueueBrokenError(`redis: ${what}: ${refusalText(error)}`, { cause: error, refusal: code });
}

/** What Redis said, without where in the script it said so. */
function refusalText(error: Error): string {
  return error.message.replace(/ script: [0-9a-f]{40}, on @user_script:\d+\.\s*$/, "").slice(0, 300);
}

/** The error reply that a script caught and answered as text. Redis 6 keeps the dash that marks it. */
export function scriptFault(text: string): Error {
  return new ReplyError(text.replace(/^-/, ""));
}

/**
 * Whether ioredis speaks of a limit of retries, of which there are none by intent (connection.ts): the
 * connection went while the command was on its way. Told by its text, because its name is its class's,
 * which a bundler may shorten.
 */
function isLostConnection(error: Error): boolean {
  return error.message.startsWith("Reached the max retries per request limit");
}

/** What an operator must change before a connection can work, or null when waiting may help. */
export function connectProblem(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = replyCode(error);
  if (code === "WRONGPASS") return "Redis refuses the username or password";
  if (code === "NOAUTH") return "Redis asks for a password, and none is configured";
  if (code === "ERR" && error.message.includes("DB index")) return "Redis has no database of that number";
  if (code === "ERR" && error.message.includes("invalid password")) return "Redis refuses the password";
  if (code === "ERR" && error.message.includes("cluster mode")) {
    return "a Redis Cluster has database 0 only; set db to 0";
  }
  if (code === "NOPERM") return `the Redis user lacks a permission: ${error.message}`;
  const system = (error as { code?: unknown }).code;
  if (typeof system === "string" && certificateCode.test(system)) {
    return `the TLS certificate of Redis is not accepted (${system})`;
  }
  return null;
}

/** A ConfigError of one issue. */
export function configProblem(path: string, message: string): ConfigError {
  return new ConfigError([{ path, source: "", message }]);
}
