import { useEffect } from "preact/hooks";

const trails = new Map<string, { readonly values: (number | null)[]; at: number }>();
const stepMs = 5_000;
const steps = 60;

/**
 * The last five minutes of a figure that the server does not keep, in steps of five seconds, as far as this page has seen
 * it.
 */
export function useTrail(name: string, value: number | null): readonly (number | null)[] {
  useEffect(() => {
    if (value === null) return;
    const now = Date.now();
    const known = trails.get(name);
    if (known === undefined) {
      trails.set(name, {
        values: Array.from({ length: steps }, (_, at) => (at < steps - 2 ? null : value)),
        at: now,
      });
      return;
    }
    const passed = Math.floor((now - known.at) / stepMs);
    // What was not seen, as while the page was hidden, is drawn level.
    for (let step = 0; step < Math.min(passed, steps); step += 1) known.values.push(value);
    known.values.splice(0, Math.max(0, known.values.length - steps));
    known.values[steps - 1] = value;
    known.at += passed * stepMs;
  });
  return trails.get(name)?.values ?? [];
}
