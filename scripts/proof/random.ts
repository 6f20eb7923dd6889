/** Numbers that are the same for the same seed. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number, `from` and `to` included. */
  whole(from: number, to: number): number;
  pick<T>(list: readonly T[]): T;
  /** Whether it happens, with a chance in [0, 1]. */
  chance(share: number): boolean;
}

/** A generator that is fixed by its seed (Mulberry32, in the public domain). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
    pick(list) {
      if (list.length === 0) throw new Error("nothing to pick from");
      return list[Math.floor(next() * list.length)] as (typeof list)[number];
    },
    chance: (share) => next() < share,
  };
}

/** A seed of its own for the n-th of something, so that what one draws does not change the next. */
export function seedFor(seed: number, n: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35)) >>> 0;
}
