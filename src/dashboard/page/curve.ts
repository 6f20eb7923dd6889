import type { VNode } from "preact";
import type { Rates } from "./types.ts";
import { html } from "./html.ts";

const width = 120;
const height = 28;

/**
 * A small curve without axes: what matters is its shape. One path, so that it takes the colours of the page's scheme
 * and is as sharp as the screen.
 *
 * @param most What the top of the curve stands for at least.
 */
export function Curve({
  values,
  label,
  tone = "plain",
  most = 1,
}: {
  values: readonly (number | null)[];
  label: string;
  tone?: string;
  most?: number;
}): VNode {
  const top = Math.max(most, ...values.map((value) => value ?? 0));
  const step = width / Math.max(1, values.length - 1);
  // What is not known stands at the beginning, and the curve begins behind it.
  const points = values.flatMap((value, at) =>
    value === null
      ? []
      : [`${(at * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 3)).toFixed(1)}`],
  );
  const isFlat = values.every((value) => value === null || value === 0);
  const from = (values.length - points.length) * step;
  const line = points.length === 0 ? "" : `M${points.join("L")}`;
  return html`<svg
    class="curve ${isFlat ? "flat" : tone}"
    viewBox="0 0 ${width} ${height}"
    preserveAspectRatio="none"
    role="img"
    aria-label=${label}
  >
    ${line !== "" && html`<path class="under" d=${`${line}L${width} ${height}L${from.toFixed(1)} ${height}Z`} />`}
    <path class="line" d=${line} vector-effect="non-scaling-stroke" />
  </svg>`;
}

/** The sums of several tracks, step by step. */
export function summed(all: readonly (readonly number[])[]): number[] {
  return Array.from({ length: Math.max(0, ...all.map((one) => one.length)) }, (_, at) =>
    all.reduce((sum, one) => sum + (one[at] ?? 0), 0),
  );
}

/** The steps, three at a time: single deliveries would make teeth of a curve. */
export function smoothed(values: readonly number[]): number[] {
  return values.map((_, at) => {
    const some = values.slice(Math.max(0, at - 2), at + 1);
    return some.reduce((sum, value) => sum + value, 0) / some.length;
  });
}

/** How many a minute, over the last minute that is complete. */
export function perMinute({ step_ms: stepMs }: Pick<Rates, "step_ms">, values: readonly number[]): number {
  const steps = Math.round(60_000 / stepMs);
  return values.slice(-steps - 1, -1).reduce((sum, value) => sum + value, 0);
}
