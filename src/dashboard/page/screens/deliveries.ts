import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { resendDelivery, resendMatching } from "../changes.ts";
import { complain } from "../operations.ts";
import { useWatched } from "../fetching.ts";
import { AsOf, Filters, given, Pages, sinceOptions, withQuery } from "../filters.ts";
import { duration } from "../format.ts";
import { html } from "../html.ts";
import { At, Empty, Foreign, Id, Shell, Shown, State } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { Delivery, Endpoint, Page, Queue } from "../types.ts";
import { deliveryState } from "../words.ts";

const filterNames = [
  "queue",
  "app",
  "endpoint",
  "event",
  "state",
  "outcome",
  "status",
  "reason",
  "job_id",
  "since",
  "until",
];

/** What was delivered, or tried, lately. */
export function Deliveries({ address, can }: ScreenProps): VNode {
  const filter = given(address, filterNames);
  const { cursor } = address.query;
  const reading = useWatched<Page<Delivery>>(
    withQuery("v1/deliveries", { ...filter, limit: "50", cursor }),
    0,
  );
  const { data: queues } = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const { data: endpoints } = useWatched<{ endpoints: readonly Endpoint[] }>("v1/endpoints?limit=200", 0);
  const resend = (): void => {
    resendMatching(filter).catch(complain);
  };
  return html`<h1 tabindex="-1">Deliveries</h1>
    <${Filters}
      address=${address}
      filters=${[
        {
          name: "state",
          label: "State",
          options: [
            ["", "all"],
            ["delivered", "delivered"],
            ["retrying", "to be tried again"],
            ["dead", "dead"],
            ["released", "cut off"],
          ],
        },
        {
          name: "endpoint",
          label: "Endpoint",
          proposals: endpoints?.endpoints.map(({ label }) => label) ?? [],
        },
        { name: "event", label: "Event" },
        { name: "status", label: "Status" },
        {
          name: "queue",
          label: "Queue",
          options: [["", "all"], ...(queues?.queues ?? []).map(({ name }) => [name, name] as const)],
        },
        { name: "since", label: "Tried within", options: sinceOptions },
      ]}
    >
      ${can.operate && (reading.data?.items.length ?? 0) > 0 && html`<button type="button" onClick=${resend}>Send all that match again …</button>`}
      <${AsOf} at=${reading.at} />
    </${Filters}>
    <${Shown} reading=${reading}>
      ${(page: Page<Delivery>) =>
        page.items.length === 0
          ? html`<${NoDeliveries} isFiltered=${Object.keys(filter).length > 0} />`
          : html`<${DeliveryTable} deliveries=${page.items} can=${can} /><${Pages}
                address=${address}
                cursor=${page.cursor}
              />`}
    </${Shown}>`;
}

function NoDeliveries({ isFiltered }: { isFiltered: boolean }): VNode {
  if (isFiltered) {
    return html`<${Empty} title="No delivery fits.">
      <p>This process’ history holds none with these filters. <a href=${to(["deliveries"])}>Show all.</a></p>
    </${Empty}>`;
  }
  return html`<${Empty} title="Nothing was delivered yet.">
    <p>Each delivery stands here with its attempts and answers once its first attempt was made.</p>
    <${Shell}>hookline enqueue webhooks job.json</${Shell}>
  </${Empty}>`;
}

/** Deliveries, the newest first. */
export function DeliveryTable({ deliveries, can }: { deliveries: readonly Delivery[]; can: Rights }): VNode {
  const columns: Column<Delivery>[] = [
    {
      head: "Last tried",
      cell: ({ id, ended_at: ended }) => html`<a href=${to(["deliveries", id])}><${At} at=${ended} /></a>`,
    },
    {
      head: "State",
      cell: ({ state, dead_reason: reason }) => {
        const { tone, text } = deliveryState(state);
        return html`<${State} tone=${tone}>${text}</${State}
          >${reason !== null && html` <span class="soft">${reason}</span>`}`;
      },
    },
    {
      head: "Endpoint",
      cell: ({ endpoint }) => html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`,
    },
    {
      head: "Event",
      kind: "wide",
      cell: ({ events }) =>
        html`<span class="cut"><${Foreign}>${events.join(", ") || "–"}</${Foreign}></span>`,
    },
    {
      head: "Last answer",
      cell: ({ attempts }) => {
        const last = attempts.at(-1);
        if (last === undefined) return "–";
        return html`${last.status ?? last.outcome} <span class="soft">${duration(last.duration_ms)}</span>`;
      },
    },
    {
      head: "Attempts",
      kind: "number",
      isMinor: true,
      cell: ({ attempts, attempts_left_out: more = 0 }) => attempts.length + more,
    },
    {
      head: "Job",
      cell: ({ job_id: job, queue }) => html`<${Id} href=${to(["jobs", job], { queue })}>${job}</${Id}>`,
    },
  ];
  if (can.operate) {
    columns.push({
      head: "Actions",
      kind: "act",
      cell: ({ id, endpoint, body_kept: kept }) =>
        kept &&
        html`<button
          type="button"
          class="small"
          onClick=${() => resendDelivery(id, endpoint)}
          aria-label=${`Resend ${id}`}
        >
          Resend
        </button>`,
    });
  }
  return html`<${Table}
    label="Deliveries"
    columns=${columns}
    rows=${deliveries}
    keyOf=${({ id }: Delivery) => id}
  />`;
}
