import { setImmediate } from "node:timers";

/**
 * A function to be awaited before a piece of heavy work: it lets one through per turn of the event loop.
 *
 * Bodies of many requests are complete at the same moment when the process is busy. Read one after the other, they
 * would keep everybody else waiting for the sum of their times, health probes among them.
 */
export function createTurnstile(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let isTurning = false;
  const turn = (): void => {
    const next = waiting.shift();
    isTurning = next !== undefined;
    if (next === undefined) return;
    next();
    setImmediate(turn);
  };
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (isTurning) return;
      isTurning = true;
      setImmediate(turn);
    });
}
