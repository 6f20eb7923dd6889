import { randomBytes } from "node:crypto";
import type { HistoryEntry } from "./entry.ts";

/** The ids of the entries of one history. */
export interface EntryIds {
  idOf(entry: Pick<HistoryEntry, "number">): string;
  /** The number of the entry that has this id; null for an id of another process, or none. */
  numberOf(id: string): number | null;
}

/** Ids begin anew with each process, so that none of before names something else: 8 hex of its own, `-`, a number. */
export function createEntryIds(run = randomBytes(4).toString("hex")): EntryIds {
  return {
    idOf: ({ number }) => `${run}-${number}`,
    numberOf(id) {
      const number = id.startsWith(`${run}-`) ? id.slice(run.length + 1) : "";
      return /^[1-9]\d{0,14}$/.test(number) ? Number(number) : null;
    },
  };
}
