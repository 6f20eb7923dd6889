import { ForeignFileError } from "./open.ts";
import type { HistoryReply, HistoryRequest } from "./messages.ts";
import { separator } from "./record.ts";
import { createHistoryStore, type HistoryBounds, type HistoryStore } from "./store.ts";

/** Between two looks at what is too old or too much, whichever comes first. */
const pruneEvery = { ms: 1_000, characters: 2_000_000 } as const;
/** Looks in a row, where much has to go. */
const mostPrunes = 20;

/** Answers requests over a history file; on a thread of its own, because a disk may take its time. */
export function createHistoryServer(path: string): (id: number, request: HistoryRequest) => HistoryReply {
  let store: HistoryStore | null = null;
  let prunedAt = 0;
  /** Written since. */
  let characters = 0;

  const prune = (bounds: HistoryBounds): void => {
    const now = Date.now();
    if (Math.abs(now - prunedAt) < pruneEvery.ms && characters < pruneEvery.characters) return;
    prunedAt = now;
    characters = 0;
    for (let looks = 0; looks < mostPrunes && store?.prune(now, bounds) === true; looks += 1);
  };

  const answer = (request: HistoryRequest): Pick<HistoryReply, "rows" | "isLast"> => {
    if (request.do === "close") {
      store?.close();
      store = null;
      return { rows: [], isLast: true };
    }
    store ??= createHistoryStore(path);
    if (request.do === "list") return store.list(request.below, request.condition, request.most);
    if (request.do === "find") {
      const row = store.find(request.number);
      return { rows: row === null ? [] : [row], isLast: true };
    }
    // First: what cannot be bounded is not written.
    prune(request.bounds);
    if (request.do === "append") {
      const { batch } = request;
      store.append(typeof batch === "string" ? batch.split(separator) : batch);
      characters +=
        typeof batch === "string" ? batch.length : batch.reduce((sum, { length }) => sum + length, 0);
    }
    return { rows: [], isLast: true };
  };

  return (id, request) => {
    let result: Pick<HistoryReply, "rows" | "isLast"> = { rows: [], isLast: true };
    let error: string | null = null;
    let isForeign = false;
    try {
      result = answer(request);
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
      isForeign = thrown instanceof ForeignFileError;
    }
    return {
      id,
      error,
      isForeign,
      ...result,
      notes: store?.notes() ?? [],
      run: store?.run ?? null,
      open: store?.open ?? 0,
    };
  };
}
