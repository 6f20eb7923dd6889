import type { CrossFindings } from "./cross-view.ts";

/** A value that takes part in a contradiction. */
export interface Part {
  readonly path: readonly (string | number)[];
  readonly value: number;
  /** As Layers.sourceOf names it. */
  readonly source: string;
}

const ranks = ["default", "file", "env", "flag"];

/** How strong a source is; what was set last is what the user looks at. */
export const rankOf = (source: string): number => ranks.indexOf(source.split(" ")[0] ?? "");

/** `webhooks.max_in_flight (1024, default)`; a neighbour of `beside` goes by its last part alone. */
export function nameWithValue({ path, value, source }: Part, beside: Part["path"] = []): string {
  const parent = path.slice(0, -1).join(".");
  const name = parent === beside.slice(0, -1).join(".") ? path.at(-1) : path.join(".");
  return `${name} (${value}, ${source})`;
}

/**
 * Reports a value that is above the limit that another key gives. The issue stands at the one of the two
 * that was set, or set by the stronger source, so that it never names a key nobody wrote.
 */
export function checkLimit(value: Part, limit: Part, issue: CrossFindings["issue"]): void {
  if (value.value <= limit.value) return;
  if (rankOf(limit.source) > rankOf(value.source)) {
    issue(limit.path, `${limit.value} is below ${nameWithValue(value, limit.path)}`);
  } else {
    issue(value.path, `${value.value} is above ${nameWithValue(limit, value.path)}`);
  }
}
