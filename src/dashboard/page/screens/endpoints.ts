import type { VNode } from "preact";
import { toEndpoint } from "../address.ts";
import { switchEndpoint, testEndpoint } from "../changes.ts";
import { Curve, smoothed, summed } from "../curve.ts";
import { useWatched } from "../fetching.ts";
import { Filters, Pages, withQuery } from "../filters.ts";
import { count, span } from "../format.ts";
import { html } from "../html.ts";
import { Empty, Foreign, Shell, Shown, State } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import { endpointState } from "../words.ts";
import type { Endpoint } from "../types.ts";

interface EndpointPage {
  readonly endpoints: readonly Endpoint[];
  readonly cursor: string | null;
}

/** All endpoints, those first that need somebody. */
export function Endpoints({ address, can }: ScreenProps): VNode {
  const { cursor, sort, q = "" } = address.query;
  const path = withQuery("v1/endpoints", { sort: sort ?? "attention", limit: "200", cursor });
  const reading = useWatched<EndpointPage>(path, 2);
  const fits = ({ label }: Endpoint): boolean => label.toLowerCase().includes(q.toLowerCase());
  return html`<h1 tabindex="-1">Endpoints</h1>
    <${Filters}
      address=${address}
      filters=${[
        { name: "q", label: "Name holds" },
        {
          name: "sort",
          label: "Order",
          options: [
            ["", "Those that need you, then by what waits"],
            ["configuration", "As configured"],
          ],
        },
      ]}
    />
    <${Shown} reading=${reading}>
      ${(page: EndpointPage) =>
        html`<${EndpointTable} endpoints=${page.endpoints.filter(fits)} can=${can} />
          <${Pages} address=${address} cursor=${page.cursor} />`}
    </${Shown}>`;
}

/** Endpoints with how they stand here. */
export function EndpointTable({ endpoints, can }: { endpoints: readonly Endpoint[]; can: Rights }): VNode {
  if (endpoints.length === 0) {
    return html`<${Empty} title="No endpoint here.">
      <p>
        An endpoint is a receiver: a webhook of an app, or an entry of <code>endpoints</code> in the
        configuration.
      </p>
      <${Shell}>hookline apps put shop shop.json</${Shell}>
    </${Empty}>`;
  }
  const columns: Column<Endpoint>[] = [
    {
      head: "Endpoint",
      cell: ({ label }) => html`<a href=${toEndpoint(label)}><${Foreign}>${label}</${Foreign}></a>`,
    },
    {
      head: "State",
      kind: "mode",
      cell: (endpoint) => {
        const { tone, text } = endpointState(endpoint);
        return html`<${State} tone=${tone}>${text}</${State}>`;
      },
    },
    {
      head: "Receiver",
      kind: "wide",
      isMinor: true,
      cell: ({ target }) =>
        html`<span class="soft cut"
          ><${Foreign}>${target.kind === "http" ? target.url : `lambda ${target.function}`}</${Foreign}></span
        >`,
    },
    { head: "Waiting", kind: "number", cell: ({ waiting }) => count(waiting) },
    {
      head: "Oldest",
      kind: "number",
      cell: ({ oldest_waiting_age_ms: oldest }) => (oldest === null ? "–" : span(oldest)),
    },
    { head: "In flight", kind: "number", isMinor: true, cell: ({ in_flight: inFlight }) => count(inFlight) },
    {
      head: "Five minutes",
      kind: "drawing",
      cell: ({ label, rates }) =>
        html`<span class="rate"
          ><${Curve}
            values=${smoothed(rates.delivered)}
            label=${`Delivered to ${label} in the last five minutes`} />
          <${Failed} failed=${summed([rates.failed]).reduce((sum, one) => sum + one, 0)}
        /></span>`,
    },
  ];
  if (can.operate) {
    columns.push({
      head: "Actions",
      kind: "act",
      cell: (endpoint) => html`<${EndpointButtons} endpoint=${endpoint} isSmall=${true} />`,
    });
  }
  return html`<${Table}
    label="Endpoints"
    columns=${columns}
    rows=${endpoints}
    keyOf=${({ label }: Endpoint) => label}
  />`;
}

function Failed({ failed }: { failed: number }): VNode {
  return failed === 0
    ? html`<span class="soft">0 failed</span>`
    : html`<span class="bad">${count(failed)} failed</span>`;
}

/** What can be done with an endpoint. */
export function EndpointButtons({
  endpoint,
  isSmall = false,
}: {
  endpoint: Endpoint;
  isSmall?: boolean;
}): VNode {
  const { label, mode } = endpoint;
  const size = isSmall ? "small" : "";
  const press = (words: string, run: () => void): VNode =>
    html`<button type="button" class=${size} onClick=${run} aria-label=${`${words} ${label}`}>
      ${words}
    </button>`;
  return html`<span class="buttons">
    ${press("Test", () => testEndpoint(label))}
    ${mode === "enabled" && press("Pause", () => switchEndpoint(endpoint, "pause"))}
    ${mode === "paused" && press("Resume", () => switchEndpoint(endpoint, "resume"))}
    ${mode === "disabled" && press("Enable", () => switchEndpoint(endpoint, "enable"))}
    ${!isSmall && mode !== "disabled" && press("Disable", () => switchEndpoint(endpoint, "disable"))}
    ${!isSmall && mode === "enabled" && endpoint.breaker !== "closed" && press("Close the breaker", () => switchEndpoint(endpoint, "enable"))}
  </span>`;
}
