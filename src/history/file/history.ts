import { resolve } from "node:path";
import type { Clock } from "../../clock.ts";
import { ConfigError, HooklineError } from "../../errors.ts";
import { lockFile, type FileLock } from "../../file-lock.ts";
import type { Logger } from "../../log.ts";
import type { Metrics } from "../../metrics.ts";
import { maskedStart } from "../../secrets/masked-start.ts";
import { orAborted, orLate, sleep } from "../../wait.ts";
import { createEntryIds } from "../entry-id.ts";
import { stateAfter, type History, type HistorySettings } from "../history.ts";
import type { HistoryReply, HistoryRequest } from "./messages.ts";
import { createOutbox } from "./outbox.ts";
import { conditionOf } from "./query.ts";
import { attemptRecord, cancelledRecord, separator, type HistoryRecord } from "./record.ts";
import { readRow } from "./row.ts";
import { startHistoryThread, type HistoryThread } from "./thread.ts";

/** `history` of the configuration, as far as a file needs it. */
export interface FileHistorySettings extends Pick<HistorySettings, "enabled" | "keep" | "body"> {
  readonly max_age_ms: number;
  readonly max_bytes: number;
  readonly response_bytes: number;
}

/** A history in a SQLite file. */
export interface FileHistory extends History {
  /**
   * Takes the file for this process and opens it.
   *
   * @throws ConfigError where it belongs to another process or to something else, or its folder cannot be written. Any
   * other trouble is reported and tried again: a history stops no delivery.
   */
  open(): Promise<void>;
}

export interface FileHistoryOptions {
  readonly path: string;
  /** Read anew for each attempt. */
  readonly settings: () => FileHistorySettings;
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "historyDropped">;
  /** Replaces every secret in a text: a receiver may send back what it was sent. */
  readonly mask: (text: string) => string;
}

/** What gathers in this time is one batch: SIGKILL loses so much. */
const batchMs = 200;
/** So many are a batch before that. */
const fullBatch = 1_000;
const retryMs = 1_000;
/** A read waits so long for its answer, and for what was recorded before to be written. */
const readMs = 10_000;
const settleMs = 2_000;
/** A batch that takes longer is reported. */
const slowMs = 5_000;
/** A drop is reported for so long. */
const toldMs = 60_000;
/** Between two looks at what is too old while nothing is written. */
const tidyMs = 30_000;
/** Rows of the first answer to a reader, and of a later one. */
const mostRows = { first: 64, later: 512 } as const;

/**
 * A history in a SQLite file, which a thread of its own writes and reads.
 *
 * An attempt becomes texts that wait in an outbox; five times a second they go to the thread as one batch, one batch at a
 * time. A batch that cannot be written is tried again until it can, while the outbox fills and then drops, counted. So
 * neither a slow disk nor a full one holds up a delivery.
 */
export function createFileHistory(options: FileHistoryOptions): FileHistory {
  const { clock, log, metrics, settings } = options;
  const path = resolve(options.path);
  const outbox = createOutbox();
  let lock: FileLock | null = null;
  let thread: HistoryThread | null = null;
  let ids = createEntryIds();
  let run = "";
  /** Deliveries in the file that may be attempted again. */
  let open = 0;
  let isClosed = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let tidying: ReturnType<typeof setInterval> | undefined;
  /** The batch that is being written; it stays until it is. */
  let writing: { readonly since: number; readonly done: Promise<boolean> } | null = null;
  let trouble: { readonly since: number; readonly why: string } | null = null;
  let drops: { readonly since: number; last: number; count: number } | null = null;
  const dropped = {
    delivered: metrics.historyDropped.labels({ kind: "delivered" }),
    failed: metrics.historyDropped.labels({ kind: "failed" }),
  };

  /** Receivers say the same again and again. */
  let said: { readonly answer: string; readonly bytes: number; readonly shown: string } | null = null;
  const shownAnswer = (answer: string | null): string | null => {
    if (answer === null || answer === "") return answer;
    const bytes = settings().response_bytes;
    if (said?.answer !== answer || said.bytes !== bytes) {
      said = { answer, bytes, shown: maskedStart(options.mask, answer, bytes) };
    }
    return said.shown;
  };

  const bounds = () => ({ maxAgeMs: settings().max_age_ms, maxBytes: settings().max_bytes });

  const note = (reply: HistoryReply): void => {
    for (const text of reply.notes) log.warn("the history file was not as it was left", { detail: text });
    if (reply.run !== null && reply.run !== run) {
      ({ run } = reply);
      ids = createEntryIds(run);
    }
    ({ open } = reply);
  };
  const ask = async (request: HistoryRequest, withinMs: number | null): Promise<HistoryReply> => {
    thread ??= startHistoryThread(path);
    const asked = thread;
    try {
      const reply = await asked.ask(request, withinMs);
      note(reply);
      return reply;
    } catch (error) {
      // A thread that is gone is started anew by the next request; one that is late is waited for.
      if (asked.hasEnded && thread === asked) thread = null;
      throw error;
    }
  };

  const fail = (why: string): void => {
    if (trouble === null)
      log.warn("the history cannot be written; what waits is tried again", { detail: why });
    trouble = { since: trouble?.since ?? clock.now(), why };
  };
  const recover = (): void => {
    if (trouble === null) return;
    trouble = null;
    log.info("the history is written again", { path });
  };
  const drop = (kind: "delivered" | "failed"): void => {
    dropped[kind].inc();
    const now = clock.now();
    if (drops === null || now - drops.last > toldMs) {
      log.warn(
        "deliveries are left out of the history, those that succeeded first: they come faster than it is written",
        {
          path,
        },
      );
      drops = { since: now, last: now, count: 0 };
    }
    drops.last = now;
    drops.count += 1;
  };

  /** Whether it is written. */
  const write = async (records: readonly HistoryRecord[]): Promise<boolean> => {
    const fields = records.flatMap((record) => record.fields);
    const batch = records.some(({ isOdd }) => isOdd) ? fields : fields.join(separator);
    for (;;) {
      let error: string | null;
      try {
        ({ error } = await ask({ do: "append", batch, bounds: bounds() }, null));
      } catch (thrown) {
        error = (thrown as Error).message;
      }
      if (error === null) {
        recover();
        return true;
      }
      if (isClosed) return false;
      fail(error);
      await sleep(retryMs);
    }
  };
  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (writing !== null || outbox.size === 0) return;
    const done = write(outbox.take());
    writing = { since: clock.now(), done };
    void done.then(() => {
      writing = null;
      if (outbox.size >= fullBatch || (isClosed && outbox.size > 0)) flush();
      else wait();
    });
  };
  const wait = (): void => {
    if (timer === null && outbox.size > 0) timer = setTimeout(flush, batchMs);
  };
  const isBehind = (): boolean => writing !== null || outbox.size > 0;
  const isSound = (): boolean => trouble === null;
  /** Resolves when nothing waits to be written, or when it cannot be. */
  const settle = async (): Promise<void> => {
    while (isSound() && isBehind()) {
      flush();
      await writing?.done;
    }
  };
  const add = (record: HistoryRecord, isSuccess: boolean): void => {
    const lost = outbox.add(record, isSuccess);
    if (lost !== null) drop(lost);
    if (outbox.size >= fullBatch && writing === null) flush();
    else wait();
  };
  /** What is too old goes when nothing is written either. */
  const tidy = async (): Promise<void> => {
    if (writing !== null || isClosed) return;
    try {
      const { error } = await ask({ do: "open", bounds: bounds() }, null);
      if (error === null) recover();
      else fail(error);
    } catch (error) {
      fail((error as Error).message);
    }
  };
  const read = async (request: HistoryRequest): Promise<HistoryReply> => {
    let error: string | null;
    try {
      const reply = await ask(request, readMs);
      if (reply.error === null) return reply;
      ({ error } = reply);
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    throw new HooklineError("history_unavailable", `the history cannot be read: ${error}`);
  };

  return {
    get ids() {
      return ids;
    },
    record(delivery, outcome, end) {
      const { enabled, keep, body } = settings();
      if (!enabled || isClosed) return;
      const isDelivered = outcome.kind === "delivered";
      const isFresh = delivery.attempt === 1 && isDelivered;
      const mode = isDelivered && keep === "failed" ? "continue" : "add";
      if (mode === "continue" && isFresh && open === 0 && !isBehind()) return;
      const answer = shownAnswer(delivery.trace?.answer ?? null);
      const attempt = { attempt: delivery.attempt, at: clock.now() - outcome.durationMs, outcome, answer };
      const state = stateAfter(end);
      const reason = end.verb === "dead" ? end.reason : null;
      add(attemptRecord(delivery, { mode, attempt, state, reason, keepsBody: body }), isFresh);
    },
    recordCancelled(delivery) {
      const { enabled, body } = settings();
      if (enabled && !isClosed) add(cancelledRecord(delivery, clock.now(), body), false);
    },
    async *list({ below, filter = {} } = {}) {
      await orLate(settle(), settleMs);
      const condition = conditionOf(filter);
      let from = below ?? null;
      let most: number = mostRows.first;
      for (;;) {
        const { rows, isLast } = await read({ do: "list", below: from, condition, most });
        for (const row of rows) yield readRow(row);
        const last = rows.at(-1);
        if (isLast || last === undefined) return;
        from = last.number;
        most = mostRows.later;
      }
    },
    async find(number) {
      await orLate(settle(), settleMs);
      const [row] = (await read({ do: "find", number })).rows;
      return row === undefined ? null : readRow(row);
    },
    async open() {
      const refuse = (message: string): never => {
        throw new ConfigError([{ path: "history.path", source: "", message }]);
      };
      try {
        lock = await lockFile(`${path}.lock`);
      } catch (error) {
        refuse(
          `${path} cannot be made there (${(error as Error).message}): name a file in a folder that can be written`,
        );
      }
      if (lock === null) {
        refuse(`${path} is in use by another process: stop it, or give each process a file of its own`);
      }
      tidying = setInterval(() => void tidy(), tidyMs);
      tidying.unref();
      try {
        const { error, isForeign } = await ask({ do: "open", bounds: bounds() }, slowMs);
        if (error === null) return;
        if (isForeign) {
          lock?.release();
          await thread?.end();
          refuse(error);
        }
        fail(error);
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        fail((error as Error).message);
      }
    },
    findings() {
      const now = clock.now();
      const said: string[] = [];
      let since = now;
      if (trouble !== null) {
        said.push(trouble.why);
        since = Math.min(since, trouble.since);
      } else if (writing !== null && now - writing.since > slowMs) {
        said.push(`the disk has not answered for ${Math.round((now - writing.since) / 1000)} s`);
        since = Math.min(since, writing.since);
      }
      if (drops !== null && now - drops.last < toldMs) {
        said.push(`${drops.count} deliveries were left out`);
        since = Math.min(since, drops.since);
      }
      if (said.length === 0) return [];
      return [{ kind: "history_not_written", object: "", since, detail: said.join("; ").slice(0, 500) }];
    },
    async close(signal) {
      clearInterval(tidying);
      await orAborted(settle(), signal);
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      if (outbox.size > 0 || trouble !== null) {
        log.warn("the history ends without what could not be written", { records: outbox.size });
      }
      if (thread !== null) {
        const asked = ask({ do: "close" }, slowMs).catch(() => null);
        await orAborted(asked, signal);
        await orAborted(thread?.end() ?? Promise.resolve(), signal);
      }
      lock?.release();
    },
  };
}
