import type { VNode } from "preact";
import { reloadConfiguration } from "../changes.ts";
import { useWatched } from "../fetching.ts";
import { Filters } from "../filters.ts";
import { html } from "../html.ts";
import { Empty, Foreign, Shown } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { ConfigEntry } from "../types.ts";

/** The configuration in force: each key, its value, where it comes from. */
export function Configuration({ address, can }: ScreenProps): VNode {
  const reading = useWatched<{ config: readonly ConfigEntry[] }>("v1/config", 0);
  const text = (address.query["q"] ?? "").toLowerCase();
  const isSet = address.query["set"] === "yes";
  const fits = ({ path, value, source }: ConfigEntry): boolean =>
    (!isSet || source !== "default") &&
    `${path} ${JSON.stringify(value)} ${source}`.toLowerCase().includes(text);
  return html`<div class="head">
      <h1 tabindex="-1">Configuration</h1>
      ${can.operate && html`<span class="buttons"><button type="button" onClick=${reloadConfiguration}>Reload</button></span>`}
    </div>
    <${Filters}
      address=${address}
      filters=${[
        { name: "q", label: "Key, value or source holds" },
        {
          name: "set",
          label: "Show",
          options: [
            ["", "all keys"],
            ["yes", "what is set"],
          ],
        },
      ]}
    />
    <${Shown} reading=${reading}>
      ${({ config }: { config: readonly ConfigEntry[] }) => {
        const rows = config.filter(fits);
        return rows.length === 0
          ? html`<${Empty} title="No key fits." />`
          : html`<${Table}
              label="Configuration"
              columns=${columns}
              rows=${rows}
              keyOf=${({ path }: ConfigEntry) => path}
            />`;
      }}
    </${Shown}>`;
}

const columns: readonly Column<ConfigEntry>[] = [
  { head: "Key", cell: ({ path }) => html`<code><${Foreign}>${path}</${Foreign}></code>` },
  {
    head: "Value",
    kind: "wide",
    cell: ({ value }) =>
      html`<code class="value"><${Foreign}>${JSON.stringify(value) ?? ""}</${Foreign}></code>`,
  },
  {
    head: "From",
    cell: ({ source }) =>
      source === "default"
        ? html`<span class="soft">default</span>`
        : html`<${Foreign}>${source}</${Foreign}>`,
  },
];
