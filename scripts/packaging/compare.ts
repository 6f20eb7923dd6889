import type { ArchiveEntry } from "./tar.ts";

/** A run of bytes that are not the same. */
interface Difference {
  readonly at: number;
  readonly bytes: number;
}

/** Lines that say how two sets of files differ; empty when they are the same, bytes, names and modes. */
export function compareEntries(
  released: readonly ArchiveEntry[],
  built: readonly ArchiveEntry[],
): readonly string[] {
  const others = new Map(built.map((entry) => [entry.name, entry]));
  const lines: string[] = [];
  for (const entry of released) {
    const other = others.get(entry.name);
    others.delete(entry.name);
    if (other === undefined) lines.push(`${entry.name}: only in the release`);
    else lines.push(...compareContent(entry, other));
  }
  for (const name of others.keys()) lines.push(`${name}: missing in the release`);
  return lines;
}

function compareContent(released: ArchiveEntry, built: ArchiveEntry): string[] {
  const { name } = released;
  const lines: string[] = [];
  if (released.isExecutable !== built.isExecutable) {
    lines.push(`${name}: ${released.isExecutable ? "may" : "may not"} be executed in the release only`);
  }
  if (Buffer.compare(released.content, built.content) === 0) return lines;
  const runs = findRuns(released.content, built.content);
  const count = runs.reduce((sum, { bytes }) => sum + bytes, 0);
  const sizes =
    released.content.length === built.content.length
      ? `of ${built.content.length}`
      : `(the release has ${released.content.length}, the build ${built.content.length})`;
  lines.push(`${name}: ${count} bytes ${sizes} differ, in ${runs.length} places`);
  for (const { at, bytes } of runs.slice(0, shownRuns)) {
    lines.push(
      `  ${bytes} bytes at 0x${at.toString(16)}`,
      `    released  ${excerpt(released.content, at)}`,
      `    built     ${excerpt(built.content, at)}`,
    );
  }
  if (runs.length > shownRuns) lines.push(`  … and in ${runs.length - shownRuns} further places`);
  return lines;
}

const shownRuns = 5;
/** Bytes that are the same but this close to others count as part of the same run. */
const gapBytes = 32;

function findRuns(a: Uint8Array, b: Uint8Array): Difference[] {
  const length = Math.max(a.length, b.length);
  const runs: Difference[] = [];
  let start = -1;
  let last = -1;
  for (let at = 0; at < length; at += 1) {
    if (a[at] === b[at]) continue;
    if (start !== -1 && at - last > gapBytes) {
      runs.push({ at: start, bytes: last - start + 1 });
      start = -1;
    }
    if (start === -1) start = at;
    last = at;
  }
  if (start !== -1) runs.push({ at: start, bytes: last - start + 1 });
  return runs;
}

/** A line of the bytes around a place, as text; what is no ASCII letter is a dot. */
function excerpt(content: Uint8Array, at: number): string {
  const around = Buffer.from(content.subarray(Math.max(0, at - 16), at + 48)).toString("latin1");
  return around.replaceAll(/[^\x20-\x7e]/g, ".");
}
