import { randomBytes } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { DriverUnavailableError, HooklineError, QueueFullError } from "../../errors.ts";
import { sha256Hex } from "../../jobs/id.ts";
import type { Logger } from "../../log.ts";
import { endOfTick, orLate, sleep } from "../../wait.ts";
import { publicError } from "../problem.ts";
import { RequestError } from "../request-error.ts";
import type { Caller } from "../tokens.ts";
import type {
  Operation,
  OperationKind,
  OperationProgress,
  OperationState,
  OperationWork,
} from "./operation.ts";

/** A bulk request, as its route hands it over. */
export interface OperationRequest {
  readonly kind: OperationKind;
  readonly queue: string | null;
  readonly isDry: boolean;
  readonly caller: Caller;
  readonly body: unknown;
  /** Most that are done in a second; absent: as many as the backend takes. */
  readonly perSecond?: number | undefined;
  readonly work: (work: OperationWork) => Promise<void>;
}

/** A request that was started, or that had been. */
export interface StartedOperation {
  readonly operation: Operation;
  /** What ended it before it had done anything; null for every other end, and while it runs. */
  readonly refusal: Error | null;
}

/** The bulk requests of this process: those that run, and the last ones that ran. */
export interface Operations {
  /**
   * Runs a request, and gives it back when it has ended or after a moment. The same request of the same caller while
   * one runs is that one.
   *
   * @throws RequestError `too_many_operations` while as many run as may.
   */
  start(request: OperationRequest): Promise<StartedOperation>;
  /** The newest first. */
  list(): readonly Operation[];
  find(id: string): Operation | null;
  /** Ends one after the step that is under way, and waits for that for a moment. */
  stop(id: string): Promise<void>;
  /** Ends all of them; resolves when none does anything any more. */
  close(): Promise<void>;
}

/** How long an answer waits for the end: what is small is done by then. */
const answerMs = 1_000;
const mostRunning = 16;
const mostKept = 100;
/** Most that are done in one step, where no pace is asked for. */
const mostAtOnce = 200;
/** Steps in a second of a slow pace. */
const stepsPerSecond = 5;
const firstRetryMs = 250;
const longestRetryMs = 5_000;
/** How long nothing may succeed. */
const patienceMs = 60_000;

type Running = { -readonly [Key in keyof Operation]: Operation[Key] } & {
  readonly progress: OperationProgress;
  readonly key: string;
  readonly stopping: AbortController;
  ended: Promise<void>;
  refusal: Error | null;
};

export interface OperationsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly mask: (text: string) => string;
}

export function createOperations({ clock, log, mask }: OperationsOptions): Operations {
  /** In the order in which they were started. */
  const all = new Map<string, Running>();
  let isClosed = false;
  const running = (): Running[] => [...all.values()].filter(({ state }) => state === "running");

  const forgetOld = (): void => {
    const ended = [...all.values()].filter(({ state }) => state !== "running");
    for (const { id } of ended.slice(0, Math.max(0, ended.length - mostKept))) all.delete(id);
  };

  const end = (operation: Running, state: OperationState, error: Error | null): void => {
    operation.state = state;
    operation.endedAt = clock.now();
    const { id, kind, queue, isDry, progress } = operation;
    if (error !== null) {
      const { code, message } = publicError({ log, mask }, error);
      operation.error = { code, detail: message.slice(0, 500) };
      if (progress.done === 0) operation.refusal = error;
    }
    const fields = { operation: id, kind, queue, dry_run: isDry, matched: progress.matched };
    const more = { done: progress.done, token: operation.caller.name };
    if (operation.refusal !== null) log.info("an operation was refused", { ...fields, ...more, error });
    else if (state === "failed") log.warn("an operation failed", { ...fields, ...more, error });
    else
      log.info(state === "done" ? "an operation is done" : "an operation was stopped", {
        ...fields,
        ...more,
      });
    forgetOld();
  };

  const run = async (operation: Running, { work, perSecond }: OperationRequest): Promise<void> => {
    const { progress, stopping } = operation;
    const step = createStep({ clock, log, progress, signal: stopping.signal, perSecond, id: operation.id });
    const atOnce = perSecond === undefined ? mostAtOnce : Math.ceil(perSecond / stepsPerSecond);
    try {
      await work({
        progress,
        signal: stopping.signal,
        mostAtOnce: Math.min(mostAtOnce, atOnce),
        isPaced: perSecond !== undefined,
        step,
      });
      end(operation, stopping.signal.aborted ? "stopped" : "done", null);
    } catch (error) {
      end(operation, "failed", error instanceof Error ? error : new Error(String(error)));
    }
  };

  return {
    async start(request) {
      const { kind, queue, isDry, caller, body } = request;
      if (isClosed) throw new RequestError("draining", "the process is shutting down");
      const key = sha256Hex(JSON.stringify([kind, queue, caller.name, body]));
      let operation = running().find((one) => one.key === key);
      if (operation === undefined) {
        if (running().length >= mostRunning) {
          throw new RequestError(
            "too_many_operations",
            `${mostRunning} operations run: wait for one of GET /v1/operations to end, or stop one`,
          );
        }
        operation = {
          id: randomBytes(8).toString("hex"),
          kind,
          queue,
          isDry,
          caller,
          key,
          request: body,
          startedAt: clock.now(),
          state: "running",
          endedAt: null,
          progress: emptyProgress(),
          error: null,
          stopping: new AbortController(),
          ended: Promise.resolve(),
          refusal: null,
        };
        all.set(operation.id, operation);
        operation.ended = run(operation, request);
      }
      await orLate(operation.ended, answerMs);
      return { operation, refusal: operation.refusal };
    },
    list: () => [...all.values()].toReversed(),
    find: (id) => all.get(id) ?? null,
    async stop(id) {
      const operation = all.get(id);
      operation?.stopping.abort();
      if (operation !== undefined) await orLate(operation.ended, answerMs);
    },
    async close() {
      isClosed = true;
      for (const { stopping } of all.values()) stopping.abort();
      await Promise.all([...all.values()].map(({ ended }) => ended));
    },
  };
}

function emptyProgress(): OperationProgress {
  return {
    total: null,
    looked: 0,
    matched: 0,
    done: 0,
    skipped: {},
    failed: {},
    notFound: [],
    complete: true,
    extra: {},
  };
}

interface StepOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly id: string;
  readonly progress: OperationProgress;
  readonly signal: AbortSignal;
  readonly perSecond: number | undefined;
}

/** See OperationWork.step. */
function createStep({ clock, log, id, progress, signal, perSecond }: StepOptions): OperationWork["step"] {
  const startedAt = clock.monotonic();

  const paced = async (): Promise<void> => {
    await endOfTick();
    if (perSecond === undefined) return;
    const dueAt = startedAt + (progress.done / perSecond) * 1000;
    const waitMs = dueAt - clock.monotonic();
    if (waitMs > 0) await sleep(waitMs, signal);
  };

  return async (run) => {
    await paced();
    let retryMs = firstRetryMs;
    const since = clock.monotonic();
    for (;;) {
      if (signal.aborted) return null;
      try {
        return await run();
      } catch (error) {
        // What refuses at the first try has an answer at once.
        const mayPass = isPassing(error) && progress.done > 0;
        if (!mayPass || clock.monotonic() - since > patienceMs) throw error;
        log.debug("a step of an operation failed; it is tried again", { operation: id, error });
        await sleep(retryMs, signal);
        retryMs = Math.min(retryMs * 2, longestRetryMs);
      }
    }
  };
}

/** Whether trying again later may help. */
function isPassing(error: unknown): boolean {
  if (error instanceof DriverUnavailableError || error instanceof QueueFullError) return true;
  return error instanceof HooklineError && (error.code === "queue_full" || error.code === "storage_full");
}
