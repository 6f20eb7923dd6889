/** The model's time: the machine's, plus what a test added. Only ever moved forward. */
export interface ModelClock {
  now(): number;
  /** Moves time forward and lets everything that became due happen. */
  advance(ms: number): void;
  /** Runs after each advance. */
  onAdvance(listener: () => void): void;
}

export function createModelClock(): ModelClock {
  let offset = 0;
  const listeners: (() => void)[] = [];
  return {
    now: () => Date.now() + offset,
    advance(ms) {
      offset += ms;
      for (const listener of listeners) listener();
    },
    onAdvance: (listener) => void listeners.push(listener),
  };
}
