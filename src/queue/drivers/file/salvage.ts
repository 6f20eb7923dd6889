import { mkdir, readdir } from "node:fs/promises";
import { UsageError } from "../../../errors.ts";
import type { Files } from "./files.ts";
import { writeChildren } from "./children.ts";
import type { Child } from "./children.ts";
import { prepareFolder, readStoreId } from "./folder.ts";
import { createJournal } from "./journal.ts";
import { itemsOf } from "./items.ts";
import { createLocations } from "./locations.ts";
import type { Pen } from "./pen.ts";
import { modes, withBody } from "./recovered.ts";
import { types } from "./record.ts";
import { seedOf } from "./segment.ts";
import type { Segment } from "./segment.ts";
import { writeJob, writeLetter } from "./snapshots.ts";
import type { Tail } from "./snapshots.ts";
import { writeStored } from "./stored.ts";
import type { Survey } from "./survey.ts";

/**
 * Writes everything that a survey could read to a new store. Returns how many jobs and dead letters.
 *
 * @throws UsageError when the folder is not empty.
 */
export async function salvageStore(
  survey: Survey,
  to: string,
  files: Files,
  allowNetworkFs: boolean,
): Promise<{ readonly jobs: number; readonly dead: number }> {
  await mkdir(to, { recursive: true });
  if ((await readdir(to)).length > 0) throw new UsageError(`${to} is not empty: give a folder that is new`);
  await prepareFolder(to, allowNetworkFs);
  const storeId = await readStoreId(to, files);
  const { queues, paused, shared, stored, dedup, lastSeq, locations } = survey.recovered;
  let failure: Error | null = null;
  const segments = new Map<number, Segment>();
  const journal = createJournal({
    folder: to,
    storeId,
    seed: seedOf(storeId),
    files,
    segments,
    current: null,
    nextNumber: 1,
    lastLsn: 0,
    fsync: "always",
    fsyncIntervalMs: 1_000,
    now: () => Date.now(),
    async onFull(error) {
      throw error;
    },
    onFailure: (error) => {
      failure = error;
    },
    onWritten: () => undefined,
    head() {
      const pen = journal.begin(types.mode, 0, 0);
      pen.u8(modes.lastSeq);
      pen.f64(lastSeq);
      journal.end();
      for (const [number, name] of queues) {
        journal.begin(types.queue, 0, number).text(name);
        journal.end();
      }
      for (const number of paused) {
        const pause = journal.begin(types.mode, 0, number);
        pause.u8(modes.pause);
        pause.u8(1);
        journal.end();
      }
      for (const [key, value] of shared) {
        const mode = journal.begin(types.mode, 0, 0);
        mode.u8(modes.shared);
        mode.text(key);
        mode.text(value);
        journal.end();
      }
    },
  });

  let jobs = 0;
  let dead = 0;
  /** Those whose bodies end alike, as long as they come one behind the other. */
  let alike: { readonly place: string; readonly queue: number; readonly tail: string; rows: Child[] } | null =
    null;
  const copied = createLocations(segments);
  const flush = (): void => {
    if (alike !== null) writeChildren(journal, copied, { ...alike, parent: 0 });
    alike = null;
  };
  for (const [seq, item] of itemsOf(survey.recovered)) {
    const { id, body, tail } = await survey.readParts(seq);
    await journal.room();
    const { queue } = item;
    const write = (pen: Pen, place: Tail | null): number => {
      if (item.kind === "dead") return writeLetter(pen, item.letter, body, place);
      const { enqueuedAt, state } = item;
      return writeJob(pen, { ...state, seq, id: item.id ?? id, enqueuedAt, dedup: null }, body, place);
    };
    if (item.kind === "dead") dead += 1;
    else jobs += 1;
    if (tail === null || alike?.place !== tail.place || alike.queue !== queue) flush();
    if (tail !== null) {
      alike ??= { place: tail.place, queue, tail: tail.text, rows: [] };
      alike.rows.push({ seq, write });
      continue;
    }
    const isDead = item.kind === "dead";
    write(journal.begin(isDead ? types.dead : types.job, isDead ? withBody : 0, queue), null);
    journal.end();
  }
  flush();
  for (const entry of stored.values()) {
    if (locations.get(entry.seq) === undefined) continue;
    await journal.room();
    writeStored(journal.begin(types.stored, 0, 0), entry);
    journal.end();
  }
  for (const { queue, key, fingerprint, id, usedAt } of dedup) {
    const pen = journal.begin(types.dedup, 0, queue);
    for (const text of [key, fingerprint, id]) pen.text(text);
    pen.f64(usedAt);
    journal.end();
  }
  await journal.close();
  for (const { fd } of segments.values()) await files.close(fd);
  if (failure !== null) throw failure as Error;
  return { jobs, dead };
}
