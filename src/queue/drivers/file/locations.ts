import type { Segment } from "./segment.ts";

/** Where a job's latest bytes stand. */
export interface Location {
  readonly segment: Segment;
  /** Of the snapshot's first byte. */
  readonly offset: number;
  /** Of the whole snapshot. */
  readonly length: number;
  /** Of the body, which stands last. */
  readonly bodyLength: number;
}

/** Sequence number → where its job or dead letter stands, and how much of each segment lives. */
export interface Locations {
  readonly size: number;
  /**
   * Remembers a place; what the same number had before no longer lives there. `liveBytes` is what the job keeps alive in
   * its segment, where that is more than its own length.
   */
  set(
    seq: number,
    segment: Segment,
    offset: number,
    length: number,
    bodyLength: number,
    liveBytes?: number,
  ): void;
  get(seq: number): Location | undefined;
  has(seq: number): boolean;
  /** Whether the number's bytes stand in this segment. */
  isIn(seq: number, segment: Segment): boolean;
  free(seq: number): void;
}

/** So many that a page's columns lie outside of the collected heap, which would round them up. */
const pageSize = 256;
const width = 5;

interface Page {
  /** Segment number, offset, length, body length, live bytes; a segment of 0 is nothing. */
  readonly cells: Uint32Array;
  used: number;
}

/**
 * Twenty bytes a job, in small pages: a million waiting jobs take 22 MB, where a Map of objects takes 200. Numbers never
 * return, so that a page whose jobs are over goes for good; one job that stays keeps a few hundred others' room.
 */
export function createLocations(segments: ReadonlyMap<number, Segment>): Locations {
  const pages = new Map<number, Page>();
  let size = 0;

  const cellOf = (seq: number): number => (seq % pageSize) * width;
  const pageOf = (seq: number): Page | undefined => pages.get(Math.floor(seq / pageSize));

  const forget = (page: Page, cell: number): boolean => {
    const number = page.cells[cell] as number;
    if (number === 0) return false;
    const segment = segments.get(number);
    if (segment !== undefined) {
      segment.live -= 1;
      segment.liveBytes -= page.cells[cell + 4] as number;
    }
    page.cells[cell] = 0;
    return true;
  };

  return {
    get size() {
      return size;
    },
    set(seq, segment, offset, length, bodyLength, liveBytes = length) {
      const key = Math.floor(seq / pageSize);
      let page = pages.get(key);
      if (page === undefined) {
        page = { cells: new Uint32Array(pageSize * width), used: 0 };
        pages.set(key, page);
      }
      const cell = cellOf(seq);
      if (!forget(page, cell)) {
        page.used += 1;
        size += 1;
      }
      page.cells[cell] = segment.number;
      page.cells[cell + 1] = offset;
      page.cells[cell + 2] = length;
      page.cells[cell + 3] = bodyLength;
      page.cells[cell + 4] = liveBytes;
      segment.live += 1;
      segment.liveBytes += liveBytes;
    },
    get(seq) {
      const page = pageOf(seq);
      if (page === undefined) return undefined;
      const cell = cellOf(seq);
      const segment = segments.get(page.cells[cell] as number);
      if (segment === undefined) return undefined;
      return {
        segment,
        offset: page.cells[cell + 1] as number,
        length: page.cells[cell + 2] as number,
        bodyLength: page.cells[cell + 3] as number,
      };
    },
    has: (seq) => (pageOf(seq)?.cells[cellOf(seq)] ?? 0) !== 0,
    isIn: (seq, segment) => pageOf(seq)?.cells[cellOf(seq)] === segment.number,
    free(seq) {
      const page = pageOf(seq);
      if (page === undefined || !forget(page, cellOf(seq))) return;
      size -= 1;
      page.used -= 1;
      if (page.used === 0) pages.delete(Math.floor(seq / pageSize));
    },
  };
}
