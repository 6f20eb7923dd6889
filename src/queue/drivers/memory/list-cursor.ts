import { Buffer } from "node:buffer";
import { HooklineError } from "../../../errors.ts";
import type { ListedState } from "../../job-lists.ts";
import type { JobLine } from "./job-line.ts";

/** Entries behind which a page may go on: jobs that are cancelled meanwhile leave others to go by. */
export const mostAnchors = 4;

const searchAtATime = 256;

/** What a cursor says: the line or key, the index or deadline, and the orders of the last jobs, the last one first. */
export interface CursorMark {
  readonly name: string;
  readonly place: number;
  readonly orders: readonly number[];
}

export function writeCursor(mark: string, state: ListedState, { name, place, orders }: CursorMark): string {
  return [mark, state, Buffer.from(name).toString("base64url"), place, ...orders].join("~");
}

export function readCursor(cursor: string, mark: string, state: ListedState): CursorMark {
  const [of, listed, name = "", ...numbers] = cursor.split("~");
  const isNumber = numbers.every((text) => /^\d{1,16}(?:\.\d{1,16})?$/.test(text));
  if (
    of !== mark ||
    listed !== state ||
    !isNumber ||
    numbers.length < 2 ||
    numbers.length > mostAnchors + 1
  ) {
    throw new HooklineError(
      "bad_cursor",
      "cursor: no page of this list gave it, or the process that did has ended; begin again without it",
    );
  }
  const [place = 0, ...orders] = numbers.map(Number);
  return { name: Buffer.from(name, "base64url").toString("utf8"), place, orders };
}

/**
 * The index behind the first of a mark's jobs that is still in the line. A line loses jobs at its front and single ones
 * elsewhere, so that a job stands at or before the index it once had; where none is left, all before them are gone too.
 */
export function placeBehind(line: JobLine, { place, orders }: CursorMark): number {
  const there = new Set(orders);
  for (let high = Math.min(place, line.size - 1); high >= 0; high -= searchAtATime) {
    const low = Math.max(0, high - searchAtATime + 1);
    const entries = line.slice(low, high - low + 1);
    const index = entries.findLastIndex(({ order }) => there.has(order));
    if (index !== -1) return low + index + 1;
  }
  return 0;
}
