import { parentPort, workerData } from "node:worker_threads";
import type { HistoryRequest } from "./history/file/messages.ts";
import { createHistoryServer } from "./history/file/serve.ts";

/** The thread that writes `history.path`: an entry point of its own, beside main.ts (scripts/packaging/compile.ts). */
const port = parentPort;
if (port === null) throw new Error("history-worker.ts is started by history/file/thread.ts");
const serve = createHistoryServer((workerData as { readonly path: string }).path);
port.on("message", ({ id, request }: { readonly id: number; readonly request: HistoryRequest }) =>
  port.postMessage(serve(id, request)),
);
