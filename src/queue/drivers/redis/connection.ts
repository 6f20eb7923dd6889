import { Redis, type RedisOptions } from "ioredis";
import type { ConfigError } from "../../../errors.ts";
import type { Logger } from "../../../log.ts";
import { configProblem, connectProblem, replyCode, translateError } from "./errors.ts";
import { sentinelMismatch, unknownCommandMismatch } from "./mismatch.ts";
import type { RedisAddress, RedisDriverOptions } from "./options.ts";

/**
 * What one connection is for.
 *
 * - `commands`: scripts and everything that is answered at once.
 * - `blocking`: waits for pushes; opened for one wait after another and dropped at the first trouble.
 * - `subscriber`: hears wake-ups and pauses.
 * - `replicated`: enqueues with WAIT, which would hold up everything behind it on a shared connection.
 * - `discovery`: asks a cluster node for the slots, once.
 */
export type ConnectionPurpose = "commands" | "blocking" | "subscriber" | "replicated" | "discovery";

/** Longest BLMOVE; within it a connection may be silent and healthy. */
export const longestBlockMs = 2_000;

/**
 * A client for one connection, not yet connected.
 *
 * No command is ever sent twice: `maxRetriesPerRequest: 0` rejects what was in flight when a connection
 * closes, and without an offline queue nothing waits for the next one (ioredis replays commands whose reply
 * was lost by default, which would lease jobs that nobody holds). A server that stops answering is
 * noticed by `socketTimeout`, which destroys the connection: the next command is only sent once a new
 * one has answered the handshake, so that a hung server does not find a heap of leases to grant when it
 * comes back.
 *
 * @param address The server; null = as the Sentinels say.
 */
export function createConnection(
  options: RedisDriverOptions,
  address: RedisAddress | null,
  purpose: ConnectionPurpose,
  log: Logger,
): Redis {
  const { requestTimeoutMs, target, tls } = options;
  const reconnects = purpose !== "blocking" && purpose !== "discovery";
  const settings: RedisOptions & { replyMapping: "legacy" } = {
    // RESP2 has all that is needed, and AUTH errors are plain.
    protocol: 2,
    replyMapping: "legacy",
    db: options.db,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: requestTimeoutMs,
    disconnectTimeout: 200,
    // Its question, INFO, may be refused, which it then prints; and one that is loading says so to every command. Behind
    // Sentinels it asks for the role.
    enableReadyCheck: target.mode === "sentinel",
    maxLoadingRetryTime: 250,
    keepAlive: 10_000,
    disableClientInfo: true,
    connectionName: `hookline-${purpose}`,
    retryStrategy: reconnects ? reconnectDelayMs : () => null,
    reconnectOnError: createReadonlyRule(),
    ...(purpose === "blocking"
      ? { socketTimeout: longestBlockMs + requestTimeoutMs }
      : { commandTimeout: requestTimeoutMs, socketTimeout: requestTimeoutMs }),
    ...(options.username === null ? {} : { username: options.username }),
    ...(options.password === null ? {} : { password: options.password }),
    ...(tls === null ? {} : { tls }),
  };
  if (address !== null) {
    settings.host = address.host;
    settings.port = address.port;
  } else if (target.mode === "sentinel") {
    settings.sentinels = target.sentinels.map(({ host, port }) => ({ host, port }));
    settings.name = target.masterName;
    settings.role = "master";
    settings.failoverDetector = purpose === "commands";
    settings.sentinelRetryStrategy = reconnects ? reconnectDelayMs : () => null;
    settings.sentinelCommandTimeout = requestTimeoutMs;
    if (target.sentinelPassword !== null) settings.sentinelPassword = target.sentinelPassword;
    if (tls !== null) {
      settings.enableTLSForSentinelMode = true;
      settings.sentinelTLS = tls;
    }
  }
  const redis = new Redis(settings);
  redis.on("error", (error: Error) => log.debug("redis connection", { purpose, error: error.message }));
  if (reconnects) connectAgainAtEnd(redis);
  return redis;
}

/** As long as one that stays read-only is left alone after a reconnection. */
const readonlyPauseMs = 5_000;

/**
 * A master that was demoted answers READONLY: connect again, and be led to the new one. Not at each such answer, because
 * a server that is read-only for long is asked again and again, and must not be without a connection all the time.
 */
function createReadonlyRule(): (error: Error) => boolean {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!error.message.startsWith("READONLY") || performance.now() - last < readonlyPauseMs) return false;
    last = performance.now();
    return true;
  };
}

/** Clients that hookline has let go of. */
const ended = new WeakSet<Redis>();

/** Closes a client for good. Any other way to disconnect one is followed by a new connection. */
export function endConnection(redis: Redis): void {
  ended.add(redis);
  redis.disconnect();
}

/**
 * ioredis gives a client up for good when it is told to disconnect while it asks a Sentinel for the master: its
 * own failover detector does that when the two meet (SentinelConnector's `connecting`, ioredis 6.0.0).
 */
function connectAgainAtEnd(redis: Redis): void {
  redis.on("end", () => {
    setTimeout(() => {
      if (!ended.has(redis) && redis.status === "end") redis.connect().catch(() => undefined);
    }, reconnectDelayMs(1));
  });
}

/** Delay before reconnecting: 50 ms doubling to 2 s, the upper half of it random. */
function reconnectDelayMs(attempt: number): number {
  const ceiling = Math.min(2_000, 50 * 2 ** Math.min(attempt - 1, 10));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/**
 * Connects for the first time.
 *
 * Throws ConfigError for what an operator must change, DriverUnavailableError for the rest; the client
 * is closed then.
 */
export async function connectFirst(
  redis: Redis,
  options: RedisDriverOptions,
  signal: AbortSignal,
): Promise<void> {
  const seen: Error[] = [];
  const note = (error: Error): void => void seen.push(error);
  /** What Sentinels answered that waiting cannot mend; the text names which one. */
  const wrong = new Map<string, ConfigError>();
  const noteSentinel = ({ message }: Error): void => {
    const problem = sentinelMismatch(message, options);
    if (problem === null || options.target.mode !== "sentinel") return;
    wrong.set(/sentinel (\S+:\d+)/.exec(message)?.[1] ?? "", problem);
    if (wrong.size >= options.target.sentinels.length) stop();
  };
  const stop = (): void => endConnection(redis);
  redis.on("error", note);
  redis.on("sentinelError", noteSentinel);
  signal.addEventListener("abort", stop, { once: true });
  // The address can be up and silent: neither connectTimeout nor commandTimeout bounds the sum.
  const timer = setTimeout(stop, options.requestTimeoutMs * 2);
  try {
    await redis.connect();
    await redis.ping().catch((error: unknown) => {
      // A user who may not ask is let in all the same.
      if (replyCode(error) !== "NOPERM") throw error;
    });
  } catch (error) {
    endConnection(redis);
    const [unfit] = wrong.values();
    if (unfit !== undefined && options.target.mode === "sentinel") {
      if (wrong.size >= options.target.sentinels.length) throw unfit;
    }
    throw firstProblem([...seen, error], options);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    redis.off("error", note);
    redis.off("sentinelError", noteSentinel);
  }
  // ioredis goes on with database 0 when SELECT fails.
  if (seen.length > 0) {
    endConnection(redis);
    throw firstProblem(seen, options);
  }
}

function firstProblem(errors: readonly unknown[], options: RedisDriverOptions): Error {
  for (const error of errors) {
    const unfit = unknownCommandMismatch(error, options);
    if (unfit !== null) return unfit;
    const problem = connectProblem(error);
    if (problem !== null) return configProblem(options.configPath, problem);
  }
  return translateError(errors[0], "connecting");
}

/** Resolves when the client can take a command, or when `ms` have passed; never rejects. */
export function whenReady(redis: Redis, ms: number): Promise<void> {
  if (redis.status === "ready" || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      redis.off("ready", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    redis.on("ready", done);
  });
}
