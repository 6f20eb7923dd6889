import { DriverUnavailableError, QueueFullError } from "../../../errors.ts";
import { scriptFault, translateError } from "./errors.ts";
import { evaluate, replyList, replyText } from "./evaluate.ts";
import type { ScriptArgument, ScriptReply } from "./evaluate.ts";
import type { QueueKeys } from "./keys.ts";
import type { Operation } from "./operation.ts";
import type { QueueTrouble } from "./queue-trouble.ts";
import type { Script } from "./script.ts";
import type { RedisServer } from "./server.ts";
import { onServer } from "./topology.ts";
import type { Topology } from "./topology.ts";

/** A script's answer. `values[0]` is the failure's text; `fault` is the error it stands for, null when all went well. */
export interface ScriptAnswer {
  readonly values: readonly ScriptReply[];
  readonly fault: Error | null;
}

/**
 * One queue's way to its server. All calls for the queue go through here, so that one place sees what Redis refuses
 * (queue-trouble.ts). Errors come out translated; OOM is QueueFullError for what adds jobs, and else one to try again after.
 */
export interface QueueLink {
  readonly queue: string;
  readonly keys: QueueKeys;
  /** Runs commands on the server. */
  run<T>(operation: Operation, use: (server: RedisServer) => Promise<T>): Promise<T>;
  /** Runs a script. A part of it may have failed: see `fault`. */
  evaluate(operation: Operation, script: Script, args: readonly ScriptArgument[]): Promise<ScriptAnswer>;
  /** As `evaluate`; throws where a part of it has failed. */
  call(
    operation: Operation,
    script: Script,
    args: readonly ScriptArgument[],
  ): Promise<readonly ScriptReply[]>;
  /** Reads a script's answer that `run` brought, as `evaluate` does. */
  read(operation: Operation, reply: ScriptReply): ScriptAnswer;
  /** An error of a command that did not go through here; gives it translated. */
  failed(operation: Operation, error: unknown): Error;
  worked(operation: Operation): void;
}

const addsJobs = new Set<Operation>(["enqueueing", "redriving"]);

export function createQueueLink(
  topology: Topology,
  queue: string,
  keys: QueueKeys,
  trouble: QueueTrouble,
): QueueLink {
  /** Notes the error and gives the one that the caller is to see. */
  const failed = (operation: Operation, error: unknown): Error => {
    const translated = translateError(error, operation);
    const seen =
      translated instanceof QueueFullError && !addsJobs.has(operation)
        ? new DriverUnavailableError(translated.message, { cause: translated, refusal: "OOM" })
        : translated;
    trouble.failed(operation, seen);
    return seen;
  };

  const run = async <T>(operation: Operation, use: (server: RedisServer) => Promise<T>): Promise<T> => {
    try {
      return await onServer(topology, keys.ready, operation, use);
    } catch (error) {
      throw failed(operation, error);
    }
  };

  const read = (operation: Operation, reply: ScriptReply): ScriptAnswer => {
    const values = replyList(reply);
    const failure = replyText(values[0]);
    if (failure === "") {
      trouble.worked(operation);
      return { values, fault: null };
    }
    return { values, fault: failed(operation, scriptFault(failure)) };
  };

  const evaluateIt = async (
    operation: Operation,
    script: Script,
    args: readonly ScriptArgument[],
  ): Promise<ScriptAnswer> =>
    read(
      operation,
      await run(operation, async (server) => evaluate(await server.commands(), script, keys.all, args)),
    );

  return {
    queue,
    keys,
    run,
    evaluate: evaluateIt,
    async call(operation, script, args) {
      const { values, fault } = await evaluateIt(operation, script, args);
      if (fault !== null) throw fault;
      return values;
    },
    read,
    failed,
    worked: (operation) => trouble.worked(operation),
  };
}
