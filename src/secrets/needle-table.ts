import type { Needle } from "./needle.ts";
import { hashOf, powerOf, type HashedText } from "./rolling-hash.ts";

/** Where something stands in a text: from the first index up to the second. */
export type Span = [start: number, end: number];

/**
 * Needles by their hash; what it costs to look for them, to add one or to take one away does not depend on how
 * many there are.
 *
 * A needle is found in two steps. The hash of its first characters (eight, or four or one of a shorter one) leads to a
 * bucket that says how long the needles are which begin so: nearly every position of a text ends there. The hash of
 * as many characters leads to the needle itself, which is then compared. So needles that all begin alike, as
 * `whsec_` keys and `Bearer ` headers do, cost no more than others.
 */
export interface NeedleTable {
  add(needle: Needle): void;
  /** Takes away what was added once; a needle that was added twice stays. The last ones taken away are found yet. */
  remove(needle: Needle): void;
  /** Length of the longest that it ever had. */
  readonly longest: number;
  /**
   * The needles that begin in a part of a hashed text.
   *
   * @param withWords Whether those of fewer than four characters count, which are found as whole words only.
   */
  find(text: HashedText, part: Span, withWords: boolean, found: (start: number, end: number) => void): void;
}

/** How many characters the first step looks at, longest first. */
const heads = [8, 4, 1] as const;
const headOf = (length: number): number => (length >= 8 ? 0 : length >= 4 ? 1 : words);
/** The head of those that are found as whole words only, or every other letter of a log would be masked. */
const words = 2;

/**
 * @param isName     Whether a text is the name of something now; see Needle.unlessName.
 * @param mostFormer So many of those that were taken away are kept.
 */
export function createNeedleTable(isName: (text: string) => boolean, mostFormer: number): NeedleTable {
  const texts: string[] = [];
  let keeps = new Int32Array(64);
  let counts = new Int32Array(64);
  const unlessNames: (string | null)[] = [];
  const free: number[] = [];
  /** Entries that were taken away and are kept yet, the earliest first; one may have been added again since. */
  const former = new Set<number>();
  let hashes = new Int32Array(64);
  /** Hashes of the heads. */
  let headHashes = new Int32Array(64);
  /** Entry + 1 of what is kept at this place; 0 = nothing, and nothing beyond; -1 = no longer. */
  let slots = new Int32Array(128);
  /** A bit for each length (modulo 32) of needles that begin as this bucket says. */
  let buckets = new Int32Array(128);
  /** A bit for each head: small enough to stay in a processor's cache, where nearly every position ends. */
  let filter = new Int32Array(64);
  /** Places taken in `slots`, those of what was removed included. */
  let taken = 0;
  let live = 0;
  let longest = 0;
  /** How many needles there are of each length. */
  const lengths: number[] = [];
  /** Heads that some needle has. */
  let active: number[] = [];
  /** Those lengths by head, and by their remainder modulo 32. */
  const byBit: number[][][] = heads.map(() => Array.from({ length: 32 }, () => []));

  const mixed = (hash: number, head: number): number => Math.imul(hash + head, 0x9e3779b1) >>> 5;
  const slotOf = (hash: number): number => (Math.imul(hash, 0x85ebca6b) >>> 5) & (slots.length - 1);

  const place = (entry: number): void => {
    const { length } = texts[entry] as string;
    const mix = mixed(headHashes[entry] as number, headOf(length));
    const bucket = mix & (buckets.length - 1);
    buckets[bucket] = (buckets[bucket] as number) | (1 << (length & 31));
    const word = (mix >>> 5) & (filter.length - 1);
    filter[word] = (filter[word] as number) | (1 << (mix & 31));
    let slot = slotOf(hashes[entry] as number);
    while ((slots[slot] as number) > 0) slot = (slot + 1) & (slots.length - 1);
    if (slots[slot] === 0) taken += 1;
    slots[slot] = entry + 1;
  };

  /** Room for three times what lives, without traces of what was removed. */
  const rebuild = (): void => {
    let size = 128;
    while (size < live * 3) size *= 2;
    slots = new Int32Array(size);
    buckets = new Int32Array(size);
    filter = new Int32Array(Math.min(size / 4, 131_072));
    taken = 0;
    for (let entry = 0; entry < texts.length; entry += 1) if (texts[entry] !== "") place(entry);
  };

  const slotWith = ({ text, keep, unlessName }: Needle, hash: number): number => {
    for (let slot = slotOf(hash); slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const entry = (slots[slot] as number) - 1;
      if (entry < 0 || hashes[entry] !== hash || texts[entry] !== text || keeps[entry] !== keep) continue;
      if (unlessNames[entry] === unlessName) return slot;
    }
    return -1;
  };

  const countLength = (length: number, change: 1 | -1): void => {
    const before = lengths[length] ?? 0;
    lengths[length] = before + change;
    if (before > 0 && before + change > 0) return;
    const list = (byBit[headOf(length)] as number[][])[length & 31] as number[];
    if (change === 1) list.push(length);
    else list.splice(list.indexOf(length), 1);
    active = heads.flatMap((_, head) =>
      (byBit[head] as number[][]).some((l) => l.length > 0) ? [head] : [],
    );
  };

  const drop = (entry: number): void => {
    const text = texts[entry] as string;
    let slot = slotOf(hashes[entry] as number);
    while (slots[slot] !== entry + 1) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = -1;
    texts[entry] = "";
    unlessNames[entry] = null;
    free.push(entry);
    live -= 1;
    countLength(text.length, -1);
  };

  const isAt = (entry: number, { codes }: HashedText, at: number): boolean => {
    const text = texts[entry] as string;
    for (let index = 0; index < text.length; index += 1) {
      if (text.charCodeAt(index) !== codes[at + index]) return false;
    }
    return true;
  };

  const isMasked = (entry: number, hashed: HashedText, at: number): boolean => {
    const unlessName = unlessNames[entry] ?? null;
    if (unlessName !== null && isName(unlessName)) return false;
    const text = texts[entry] as string;
    return headOf(text.length) !== words || isWholeWord(hashed, at, text, keeps[entry] as number);
  };

  return {
    get longest() {
      return longest;
    },
    add(needle) {
      const { text, keep, unlessName } = needle;
      const hash = hashOf(text, text.length);
      const known = slotWith(needle, hash);
      if (known !== -1) {
        const entry = (slots[known] as number) - 1;
        counts[entry] = (counts[entry] as number) + 1;
        former.delete(entry);
        return;
      }
      const entry = free.pop() ?? texts.length;
      if (entry >= hashes.length) {
        [hashes, headHashes] = [grown(hashes), grown(headHashes)];
        [keeps, counts] = [grown(keeps), grown(counts)];
      }
      texts[entry] = text;
      keeps[entry] = keep;
      counts[entry] = 1;
      hashes[entry] = hash;
      headHashes[entry] = hashOf(text, heads[headOf(text.length)] as number);
      unlessNames[entry] = unlessName;
      live += 1;
      longest = Math.max(longest, text.length);
      countLength(text.length, 1);
      if ((taken + 1) * 2 > slots.length) rebuild();
      else place(entry);
    },
    remove(needle) {
      const slot = slotWith(needle, hashOf(needle.text, needle.text.length));
      if (slot === -1) return;
      const entry = (slots[slot] as number) - 1;
      // It was taken away before, and is kept yet.
      if (former.has(entry)) return;
      const left = (counts[entry] as number) - 1;
      counts[entry] = left;
      if (left > 0) return;
      former.add(entry);
      for (const earliest of former) {
        if (former.size <= mostFormer) break;
        former.delete(earliest);
        drop(earliest);
      }
    },
    find(hashed, [from, end], withWords, found) {
      const { sums, length } = hashed;
      const wanted = withWords ? active : active.filter((head) => head !== words);
      if (wanted.length === 0) return;
      const filterMask = filter.length - 1;
      for (let at = from; at < end; at += 1) {
        for (const head of wanted) {
          const size = heads[head] as number;
          if (at + size > length) continue;
          const start = sums[at] as number;
          const headHash = ((sums[at + size] as number) - Math.imul(start, powerOf(size))) | 0;
          const mix = mixed(headHash, head);
          if ((((filter[(mix >>> 5) & filterMask] as number) >>> (mix & 31)) & 1) === 0) continue;
          let bits = buckets[mix & (buckets.length - 1)] as number;
          while (bits !== 0) {
            const bit = 31 - Math.clz32(bits);
            bits &= ~(1 << bit);
            for (const many of (byBit[head] as number[][])[bit] as number[]) {
              if (at + many > length) continue;
              const hash = ((sums[at + many] as number) - Math.imul(start, powerOf(many))) | 0;
              for (let slot = slotOf(hash); slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
                const entry = (slots[slot] as number) - 1;
                if (entry < 0 || hashes[entry] !== hash || (texts[entry] as string).length !== many) continue;
                if (!isAt(entry, hashed, at) || !isMasked(entry, hashed, at)) continue;
                found(at + (keeps[entry] as number), at + many);
              }
            }
          }
        }
      }
    },
  };
}

const isLetter = (code: number | undefined): boolean =>
  code !== undefined && /\w/.test(String.fromCharCode(code));

/** Whether a short needle is no part of a longer word. */
function isWholeWord({ codes, length }: HashedText, at: number, text: string, keep: number): boolean {
  const end = at + text.length;
  const isOpen = keep === 0 && at > 0 && isLetter(codes[at]) && isLetter(codes[at - 1]);
  return !isOpen && !(end < length && isLetter(codes[end - 1]) && isLetter(codes[end]));
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const more = new Int32Array(array.length * 2);
  more.set(array);
  return more;
}
