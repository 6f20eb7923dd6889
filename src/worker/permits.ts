/** A number of slots shared by several owners. */
export interface Permits {
  isAvailable(): boolean;
  /** Whether an endpoint with nothing in flight may start one beyond these, when none is available. */
  mayExceed(): boolean;
  /** Takes one; the caller has asked before. */
  take(): void;
  give(): void;
  readonly inUse: number;
}

/**
 * @param total      How many there are; 0 = none is ever available.
 * @param onFreed    Called when one is given back after none was left.
 */
export function createPermits(total: number, onFreed: () => void = () => undefined): Permits {
  let inUse = 0;
  return {
    isAvailable: () => inUse < total,
    mayExceed: () => true,
    take: () => void (inUse += 1),
    give() {
      inUse -= 1;
      if (inUse === total - 1) onFreed();
    },
    get inUse() {
      return inUse;
    },
  };
}
