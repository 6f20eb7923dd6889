import { connect as connectPlain } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ConfigError } from "../../../errors.ts";
import { configProblem, replyCode } from "./errors.ts";
import type { ServerFacts } from "./facts.ts";
import type { RedisAddress, RedisDriverOptions } from "./options.ts";

/**
 * A server of another kind than the configuration takes it for: waiting for it would never help, so the process ends
 * with what to change.
 */

const clusterText =
  "the server is a node of a Redis Cluster: set queue.driver to redis-cluster, its nodes in queue.redis_cluster.nodes (or queue.redis.cluster_mode to true)";

/** What is wrong with the kind of server that says this of itself; null when it may be the right one. */
export function factsMismatch({ mode }: ServerFacts, options: RedisDriverOptions): ConfigError | null {
  if (mode === "sentinel") {
    return configProblem(
      options.configPath,
      "the server is a Sentinel, which holds no jobs: name it in database.redis.sentinels (no url_override), and the master in database.redis.name",
    );
  }
  if (mode === "cluster" && options.target.mode !== "cluster") return clusterProblem();
  return null;
}

export function clusterProblem(): ConfigError {
  return configProblem("queue.driver", clusterText);
}

/** Codes that only a node of a cluster answers. */
export function isClusterReply(error: unknown): boolean {
  const code = replyCode(error);
  return code === "MOVED" || code === "ASK" || code === "CLUSTERDOWN" || code === "CROSSSLOT";
}

/** What is wrong where a command that each server of the right kind knows is unknown; null for other errors. */
export function unknownCommandMismatch(error: unknown, options: RedisDriverOptions): ConfigError | null {
  if (replyCode(error) !== "ERR") return null;
  const command = /unknown command [`']?(\w+)/i.exec((error as Error).message)?.[1]?.toLowerCase();
  if (command === undefined) return null;
  return configProblem(
    options.configPath,
    `the server does not know ${command.toUpperCase()}: it is a Sentinel, or a proxy that leaves commands out; hookline needs a Redis that holds keys`,
  );
}

/** What is wrong with a server that is asked for a cluster's slots and answers so; null for other errors. */
export function noClusterMismatch(error: unknown, options: RedisDriverOptions): ConfigError | null {
  if (replyCode(error) === "ERR" && (error as Error).message.includes("cluster support disabled")) {
    return configProblem(
      options.configPath,
      "this server is not a Redis Cluster: set queue.driver to redis, or name the cluster's nodes",
    );
  }
  return unknownCommandMismatch(error, options);
}

/** What one Sentinel's answer says against the configuration; null when waiting may help. */
export function sentinelMismatch(text: string, options: RedisDriverOptions): ConfigError | null {
  const name = options.target.mode === "sentinel" ? options.target.masterName : "";
  if (/unknown command/i.test(text)) {
    return configProblem(
      "database.redis.sentinels",
      "the server there is no Sentinel: name it in database.redis.host and port (or queue.redis.url_override), and leave sentinels empty",
    );
  }
  if (/No such master|invalid reply: null/i.test(text)) {
    return configProblem("database.redis.name", `the Sentinels know no master named ${JSON.stringify(name)}`);
  }
  if (/\b(?:NOAUTH|WRONGPASS)\b|invalid password/i.test(text)) {
    return configProblem(
      "database.redis.sentinel_password",
      "a Sentinel refuses the password, or asks for one",
    );
  }
  return null;
}

/** Longest wait for a trial connection. */
const trialMs = 1_000;

/** Why the first connection failed, where it is the configuration; null when waiting may help. */
export async function explainOpening(
  error: unknown,
  address: RedisAddress,
  options: RedisDriverOptions,
): Promise<ConfigError | null> {
  if (!(error instanceof Error) || error instanceof ConfigError) return null;
  const texts = [error, error.cause].map((one) => (one instanceof Error ? one.message : ""));
  // Nobody listens there, or the name is not known: that may be over in a moment.
  if (/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/.test(texts.join())) return null;
  const mismatch = await findProtocolMismatch(address, options);
  if (mismatch !== null || !/Unknown RESP type/.test(texts.join())) return mismatch;
  return configProblem(options.configPath, "what listens there does not speak Redis' protocol");
}

/**
 * Why no connection came about, where the other side speaks another protocol than the configuration says; null when that
 * is not it. Asks the address once in the other way: it says nothing of use to who listens there.
 */
async function findProtocolMismatch(
  address: RedisAddress,
  options: RedisDriverOptions,
): Promise<ConfigError | null> {
  if (options.tls === null) {
    if (!(await speaksTls(address))) return null;
    return configProblem(
      options.configPath,
      "the server there speaks TLS: set database.redis.tls, or write rediss:// in the URL",
    );
  }
  if (!(await speaksPlainRedis(address))) return null;
  return configProblem(
    options.configPath,
    "the server there speaks Redis without TLS: write redis:// in the URL, or take database.redis.tls away",
  );
}

function speaksTls({ host, port }: RedisAddress): Promise<boolean> {
  // The certificate is not asked about: nothing is sent.
  const socket = connectTls({ host, port, rejectUnauthorized: false });
  return answerOf(socket, (done) => socket.once("secureConnect", () => done(true)));
}

function speaksPlainRedis({ host, port }: RedisAddress): Promise<boolean> {
  const socket = connectPlain({ host, port });
  return answerOf(socket, (done) => {
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (chunk) =>
      done(/^(?:\+PONG|-NOAUTH|-DENIED|-NOPERM)/.test(chunk.toString("latin1"))),
    );
  });
}

function answerOf(socket: Socket, ask: (done: (answer: boolean) => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (answer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(false), trialMs);
    socket.on("error", () => done(false));
    socket.once("close", () => done(false));
    ask(done);
  });
}
