import type { Condition } from "./query.ts";
import type { HistoryRow } from "./row.ts";
import type { HistoryBounds } from "./store.ts";

/** What the thread of a history is asked; it answers in order. */
export type HistoryRequest =
  | { readonly do: "open"; readonly bounds: HistoryBounds }
  /** A text is the fields joined by the separator. */
  | { readonly do: "append"; readonly batch: string | readonly string[]; readonly bounds: HistoryBounds }
  | {
      readonly do: "list";
      readonly below: number | null;
      readonly condition: Condition;
      readonly most: number;
    }
  | { readonly do: "find"; readonly number: number }
  | { readonly do: "close" };

/** The answer to the request of this id. */
export interface HistoryReply {
  readonly id: number;
  /** Null where it has been done. */
  readonly error: string | null;
  /** The file belongs to something else. */
  readonly isForeign: boolean;
  readonly rows: readonly HistoryRow[];
  /** There are none after these. */
  readonly isLast: boolean;
  /** What happened to the file, for the log. */
  readonly notes: readonly string[];
  /** Of the file that is open now; null where none is. */
  readonly run: string | null;
  readonly open: number;
}
