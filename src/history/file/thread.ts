import process from "node:process";
import { Worker } from "node:worker_threads";
import type { HistoryReply, HistoryRequest } from "./messages.ts";

/** A history file on its own thread. */
export interface HistoryThread {
  /**
   * Rejects when the thread has ended, or does not answer in time; what was asked may be done all the same.
   *
   * @param withinMs Null: the answer is waited for as long as it takes.
   */
  ask(request: HistoryRequest, withinMs: number | null): Promise<HistoryReply>;
  readonly hasEnded: boolean;
  /** Ends the thread, whatever it is doing. */
  end(): Promise<void>;
}

/** Compiled, entry points lie in one folder inside the executable, and chunks of them anywhere in it. */
function workerUrl(): URL {
  return process.argv[1]?.startsWith("/$bunfs/") === true
    ? new URL("file:///$bunfs/root/history-worker.js")
    : new URL("../../history-worker.ts", import.meta.url);
}

export function startHistoryThread(path: string): HistoryThread {
  interface Waiter {
    readonly resolve: (reply: HistoryReply) => void;
    readonly reject: (error: Error) => void;
    readonly timer: ReturnType<typeof setTimeout> | undefined;
  }
  const waiters = new Map<number, Waiter>();
  let last = 0;
  let ended: Error | null = null;
  const worker = new Worker(workerUrl(), { workerData: { path } });

  const take = (id: number): Waiter | undefined => {
    const waiter = waiters.get(id);
    waiters.delete(id);
    clearTimeout(waiter?.timer);
    return waiter;
  };
  const fail = (error: Error): void => {
    ended ??= error;
    for (const id of waiters.keys()) take(id)?.reject(ended);
  };
  worker.on("message", (reply: HistoryReply) => take(reply.id)?.resolve(reply));
  worker.on("error", (error: Error) => fail(new Error(`the thread of the history failed: ${error.message}`)));
  worker.on("exit", () => fail(new Error("the thread of the history has ended")));
  // A program that has nothing else to do may end.
  worker.unref();

  return {
    get hasEnded() {
      return ended !== null;
    },
    ask(request, withinMs) {
      if (ended !== null) return Promise.reject(ended);
      last += 1;
      const id = last;
      return new Promise((resolve, reject) => {
        const late = (): void =>
          take(id)?.reject(new Error(`${path}: the disk did not answer within ${withinMs} ms`));
        const timer = withinMs === null ? undefined : setTimeout(late, withinMs);
        waiters.set(id, { resolve, reject, timer });
        worker.postMessage({ id, request });
      });
    },
    async end() {
      fail(new Error("the history is closed"));
      await worker.terminate();
    },
  };
}
