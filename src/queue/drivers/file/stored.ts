import { Buffer } from "node:buffer";
import type { StoredRecord } from "../../records.ts";
import type { Journal } from "./journal.ts";
import type { Locations } from "./locations.ts";
import type { Pen, Reader } from "./pen.ts";
import { types } from "./record.ts";
import type { Segment } from "./segment.ts";

/** A stored app or endpoint (queue/records.ts) in the journal; each version has a sequence number of its own. */
export interface StoredEntry extends StoredRecord {
  readonly seq: number;
}

/** Writes the body of a STORED record where the pen stands. */
export function writeStored(pen: Pen, { seq, revision, key, value }: StoredEntry): void {
  pen.f64(seq);
  pen.f64(revision);
  pen.text(key);
  pen.u8(value === null ? 0 : 1);
  if (value !== null) pen.body(value);
}

/** The body of a STORED record. Throws RangeError where it is none. */
export function readStored(reader: Reader): StoredEntry {
  const [seq, revision, key, hasValue] = [reader.f64(), reader.f64(), reader.name(), reader.u8() === 1];
  const rest = Buffer.from(reader.rest());
  return { seq, revision, key, value: hasValue ? rest : null };
}

/** Keeps the records of the API in the journal. */
export interface StoredKeeper {
  /** Writes a record; safe with the journal's next `safe`. `dropped` are keys of tombstones that go. */
  keep(record: StoredRecord, dropped: readonly string[]): void;
  /** Writes a version anew whose segment goes, if it is the one that counts. */
  rewrite(segment: Segment, body: Buffer, at: number): void;
}

/** @param kept What the journal holds already, by key. */
export function createStoredKeeper(options: {
  readonly journal: Journal;
  readonly locations: Locations;
  readonly nextSeq: () => number;
  readonly kept: Iterable<StoredEntry>;
}): StoredKeeper {
  const { journal, locations } = options;
  const seqs = new Map<string, number>();
  for (const { key, seq } of options.kept) seqs.set(key, seq);

  const append = (seq: number, write: (pen: Pen) => void): void => {
    const pen = journal.begin(types.stored, 0, 0);
    const { segment, offset } = journal.position();
    write(pen);
    locations.set(seq, segment, offset, journal.position().offset - offset, 0);
    journal.end();
  };

  return {
    keep(record, dropped) {
      const before = seqs.get(record.key);
      const seq = options.nextSeq();
      append(seq, (pen) => writeStored(pen, { ...record, seq }));
      if (before !== undefined) locations.free(before);
      seqs.set(record.key, seq);
      const gone = dropped.filter((key) => key !== record.key).flatMap((key) => seqs.get(key) ?? []);
      for (const key of dropped) if (key !== record.key) seqs.delete(key);
      if (gone.length === 0) return;
      const pen = journal.begin(types.remove, 0, 0);
      pen.u32(gone.length);
      for (const one of gone) {
        pen.f64(one);
        locations.free(one);
      }
      journal.end();
    },
    rewrite(segment, body, at) {
      const seq = body.readDoubleLE(0);
      const location = locations.get(seq);
      if (location?.segment === segment && location.offset === at) append(seq, (pen) => void pen.body(body));
    },
  };
}
