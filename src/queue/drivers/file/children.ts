import type { JobBody } from "../../../jobs/job.ts";
import type { Journal } from "./journal.ts";
import type { Locations } from "./locations.ts";
import type { Pen } from "./pen.ts";
import { types } from "./record.ts";
import type { Tail } from "./snapshots.ts";

/** One of the jobs and dead letters whose bodies end alike. */
export interface Child {
  readonly seq: number;
  /** Writes its snapshot; returns how many bytes its body has. */
  write(pen: Pen, tail: Tail): number;
}

export interface Children {
  /** The queue's number. */
  readonly queue: number;
  /** The job that they take the place of; 0 where that is over already. */
  readonly parent: number;
  /** How their bodies end. */
  readonly tail: JobBody;
  readonly rows: readonly Child[];
}

/**
 * Writes a CHILDREN record, and remembers where each of them stands:
 *
 *     f64 parent · u32 length of the tail · tail · u32 count · count times: u32 length · snapshot
 *
 * The tail is alive as long as one of them is; each is charged its part of it.
 */
export function writeChildren(
  journal: Journal,
  locations: Locations,
  { queue, parent, tail, rows }: Children,
): void {
  const pen = journal.begin(types.children, 0, queue);
  pen.f64(parent);
  const lengthAt = pen.length;
  pen.u32(0);
  const tailAt = journal.position().offset;
  const tailLength = pen.body(tail);
  pen.setU32(lengthAt, tailLength);
  pen.u32(rows.length);
  const part = Math.ceil(tailLength / rows.length);
  for (const row of rows) {
    const at = pen.length;
    pen.u32(0);
    const { segment, offset } = journal.position();
    const bodyLength = row.write(pen, { back: offset - tailAt, length: tailLength });
    const length = journal.position().offset - offset;
    pen.setU32(at, length);
    locations.set(row.seq, segment, offset, length, bodyLength, length + part);
  }
  journal.end();
}
