import type { VNode } from "preact";
import { type Content, html } from "./html.ts";

/** A column of a table. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => Content;
  /** `number`: to the right, in tabular figures. `mode`: a state whose words change. `wide`: takes the room that is left. `act`: buttons, without a head. */
  readonly kind?: "number" | "mode" | "wide" | "act" | "drawing";
  /** Left out on a narrow screen, where a table is a list. */
  readonly isMinor?: boolean;
}

/**
 * A table whose head stays in sight. On a narrow screen each row is an entry of a list, the first column its title, each
 * other value behind its column's name (style.css).
 */
export function Table<Row>({
  label,
  columns,
  rows,
  keyOf,
  toneOf,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  toneOf?: (row: Row) => string;
}): VNode {
  return html`<table aria-label=${label}>
    <thead>
      <tr>
        ${columns.map(
          ({ head, kind = "" }) =>
            html`<th scope="col" class=${kind}>
              ${kind === "act" ? html`<span class="unseen">${head}</span>` : head}
            </th>`,
        )}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr key=${keyOf(row)} class=${toneOf?.(row) ?? ""}>
            ${columns.map(
              ({ head, cell, kind = "", isMinor = false }) =>
                html`<td class="${kind}${isMinor ? " minor" : ""}" data-head=${head}>${cell(row)}</td>`,
            )}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
