import type { VNode } from "preact";
import { type Address, go, to } from "./address.ts";
import { refresh } from "./fetching.ts";
import { timeOfDay } from "./format.ts";
import { type Content, html } from "./html.ts";

/** One filter of a list. */
export interface Filter {
  readonly name: string;
  readonly label: string;
  /** Values to choose from, with their words; absent: any text. */
  readonly options?: readonly (readonly [value: string, words: string])[];
  /** Texts that are proposed. */
  readonly proposals?: readonly string[];
}

/** The filters of a list. They stand in the address, and a change begins at the first page. */
export function Filters({
  address,
  filters,
  keeps = [],
  children,
}: {
  address: Address;
  filters: readonly Filter[];
  /** Parameters that are no filter: clearing leaves them. */
  keeps?: readonly string[];
  children?: Content;
}): VNode {
  const change = (event: Event): void => {
    const { name, value } = event.target as HTMLInputElement;
    const { cursor: _cursor, ...query } = address.query;
    go(to(address.path, { ...query, [name]: value.trim() }), true);
  };
  const isGiven = filters.some(({ name }) => address.query[name] !== undefined);
  return html`<form class="filters" onSubmit=${(event: Event) => event.preventDefault()}>
    ${filters.map(
      ({ name, label, options, proposals }) =>
        html`<label key=${name}
          ><span>${label}</span>
          ${
            options === undefined
              ? html`<input
                    name=${name}
                    value=${address.query[name] ?? ""}
                    onChange=${change}
                    list=${proposals === undefined ? null : `${name}-list`}
                    autocomplete="off"
                    spellcheck="false"
                  />${
                    proposals !== undefined &&
                    html`<datalist id=${`${name}-list`}>
                      ${proposals.map((one) => html`<option value=${one} />`)}
                    </datalist>`
                  }`
              : html`<select name=${name} value=${address.query[name] ?? ""} onChange=${change}>
                  ${options.map(([value, words]) => html`<option value=${value}>${words}</option>`)}
                </select>`
          }
        </label>`,
    )}
    ${isGiven && html`<a class="button" href=${to(address.path, given(address, keeps))}>Clear</a>`}${children}
  </form>`;
}

/** The times that lists can be limited to. */
export const sinceOptions: Filter["options"] = [
  ["", "any time"],
  ["-15m", "15 minutes"],
  ["-1h", "1 hour"],
  ["-24h", "24 hours"],
];

/**
 * When a list was asked for, and the button that asks again: by themselves rows would run away under the eyes of who
 * reads them.
 */
export function AsOf({ at }: { at: number }): VNode {
  return html`<span class="as-of">
    <span class="soft small-text">${at === 0 ? "" : `as of ${timeOfDay(at)}`}</span>
    <button type="button" onClick=${refresh}>Refresh</button>
  </span>`;
}

/** The filters that are given, as query parameters of the API. */
export function given(address: Address, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = address.query[name];
      return value === undefined || value === "" ? [] : [[name, value]];
    }),
  );
}

/** A path of the API with query parameters. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const all = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const text = new URLSearchParams(all).toString();
  return text === "" ? path : `${path}?${text}`;
}

/** To the next page and back to the first; the filters stay. */
export function Pages({ address, cursor }: { address: Address; cursor: string | null }): VNode | null {
  const isFirst = address.query["cursor"] === undefined;
  if (isFirst && cursor === null) return null;
  return html`<p class="pages">
    ${!isFirst && html`<a class="button" href=${to(address.path, { ...address.query, cursor: null })}>First page</a>`}
    ${cursor !== null && html`<a class="button" href=${to(address.path, { ...address.query, cursor })}>Next page</a>`}
  </p>`;
}
