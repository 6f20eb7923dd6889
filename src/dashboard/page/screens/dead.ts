import type { VNode } from "preact";
import { type Address, to, toEndpoint } from "../address.ts";
import { redriveMatching, redriveOne, removeMatching } from "../changes.ts";
import { useWatched } from "../fetching.ts";
import { AsOf, Filters, given, Pages, sinceOptions, withQuery } from "../filters.ts";
import { bytes, count, counted } from "../format.ts";
import { html } from "../html.ts";
import { complain, Operations } from "../operations.ts";
import { Ago, Body, Empty, Foreign, Id, Shown } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { DeadGroup, DeadLetter, DeadSummary, Page, Queue } from "../types.ts";
import { inWords } from "../words.ts";

const filterNames = ["endpoint", "reason", "event", "since"];

/** Jobs that were given up: by endpoint and reason, then one by one. */
export function DeadLetters({ address, can }: ScreenProps): VNode {
  const { data } = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const queues = data?.queues ?? [];
  const most = queues.toSorted((a, b) => (b.dead ?? 0) - (a.dead ?? 0))[0]?.name;
  const queue = address.query["queue"] ?? most;
  const shown = queues.find(({ name }) => name === queue);
  return html`<h1 tabindex="-1">Dead letters</h1>
    <${Operations} can=${can} />
    ${
      queues.length > 1 &&
      html`<nav class="tabs" aria-label="Queues">
        ${queues.map(
          ({ name, dead }) =>
            html`<a
              key=${name}
              href=${to(["dead"], { queue: name })}
              aria-current=${name === queue ? "true" : null}
              >${name}${" "}<span class="soft">${count(dead)}</span></a
            >`,
        )}
      </nav>`
    }
    ${queue !== undefined && html`<${OfQueue} key=${queue} queue=${queue} dead=${shown?.dead ?? null} address=${address} can=${can} />`}`;
}

function OfQueue({ queue, dead, address, can }: ScreenProps & { queue: string; dead: number | null }): VNode {
  const filter = given(address, filterNames);
  const isFiltered = Object.keys(filter).length > 0;
  const api = `v1/queues/${encodeURIComponent(queue)}/dead`;
  const summary = useWatched<DeadSummary>(`${api}/summary?limit=50`);
  const letters = useWatched<Page<DeadLetter>>(
    withQuery(api, { ...filter, limit: "50", cursor: address.query["cursor"] }),
    0,
  );
  if (dead === 0 && !isFiltered) {
    return html`<${Empty} title="No dead letters.">
      <p>A job that is given up is kept here with its reason, until somebody redrives or removes it.</p>
    </${Empty}>`;
  }
  const selection = { queue, filter };
  return html`<section aria-labelledby="groups">
      <h2 id="groups">By endpoint and reason</h2>
      <${Shown} reading=${summary}>
        ${(groups: DeadSummary) => html`<${Groups} queue=${queue} summary=${groups} filter=${filter} can=${can} />`}
      </${Shown}>
    </section>
    <section aria-labelledby="letters">
      <h2 id="letters">One by one <span class="soft">the newest first</span></h2>
      <${Filters}
        address=${address}
        keeps=${["queue"]}
        filters=${[
          { name: "endpoint", label: "Endpoint" },
          { name: "reason", label: "Reason" },
          { name: "event", label: "Event" },
          { name: "since", label: "Given up within", options: sinceOptions },
        ]}
      >
        ${can.operate && isFiltered && html`<button type="button" onClick=${() => redriveMatching(selection).catch(complain)}>Redrive all that match …</button>`}
        ${can.remove && isFiltered && html`<button type="button" onClick=${() => removeMatching(selection).catch(complain)}>Remove all that match …</button>`}
        <${AsOf} at=${letters.at} />
      </${Filters}>
      <${Shown} reading=${letters}>
        ${(page: Page<DeadLetter>) => html`<${Letters} queue=${queue} page=${page} address=${address} can=${can} />`}
      </${Shown}>
    </section>`;
}

function Groups({
  queue,
  summary: { groups, bytes: size, more_groups: more, count: all },
  filter,
  can,
}: {
  queue: string;
  summary: DeadSummary;
  filter: Readonly<Record<string, string>>;
  can: Rights;
}): VNode {
  const filterOf = ({ endpoint, reason }: DeadGroup): Record<string, string> => ({
    ...(endpoint === null ? {} : { endpoint }),
    reason,
  });
  const most = Math.max(1, ...groups.map((group) => group.count));
  const columns: Column<DeadGroup>[] = [
    {
      head: "Endpoint",
      cell: ({ endpoint }) =>
        endpoint === null
          ? html`<span class="soft">none</span>`
          : html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`,
    },
    {
      head: "Reason",
      cell: (group) =>
        html`<a href=${to(["dead"], { queue, ...filterOf(group) })}>${inWords(group.reason)}</a>`,
    },
    {
      head: "Share",
      kind: "wide",
      isMinor: true,
      cell: (group) =>
        html`<meter
          class="share"
          max=${most}
          value=${group.count}
          aria-label=${`${group.count} of ${all}`}
        ></meter>`,
    },
    { head: "Dead", kind: "number", cell: (group) => count(group.count) },
  ];
  if (can.operate) {
    columns.push({
      head: "Actions",
      kind: "act",
      cell: (group) => {
        const selection = { queue, filter: filterOf(group) };
        const name = `${group.endpoint ?? "without endpoint"}, ${inWords(group.reason)}`;
        return html`<span class="buttons">
          <button
            type="button"
            class="small"
            aria-label=${`Redrive ${name}`}
            onClick=${() => redriveMatching(selection).catch(complain)}
          >
            Redrive …
          </button>
          ${can.remove && html`<button type="button" class="small" aria-label=${`Remove ${name}`} onClick=${() => removeMatching(selection).catch(complain)}>Remove …</button>`}
        </span>`;
      },
    });
  }
  const isChosen = (group: DeadGroup): boolean =>
    filter["reason"] === group.reason && filter["endpoint"] === (group.endpoint ?? undefined);
  return html`<${Table}
      label="Dead letters by endpoint and reason"
      columns=${columns}
      rows=${groups}
      toneOf=${(group: DeadGroup) => (isChosen(group) ? "chosen" : "")}
      keyOf=${({ endpoint, reason }: DeadGroup) => `${endpoint} ${reason}`}
    />
    <p class="soft small-text under">
      ${counted(all, "dead letter")}${size !== null && `, ${bytes(size)}`}${more > 0 && `; ${counted(more, "smaller group")} not shown`}
    </p>`;
}

function Letters({
  queue,
  page,
  address,
  can,
}: {
  queue: string;
  page: Page<DeadLetter>;
  address: Address;
  can: Rights;
}): VNode {
  if (page.items.length === 0 && page.cursor === null) {
    return html`<${Empty} title=${`No dead letter of the queue ${queue} fits.`}
      ><p><a href=${to(["dead"], { queue })}>Show all of this queue.</a></p></${Empty}
    >`;
  }
  return html`${page.items.length === 0 ? html`<p class="soft">None among those looked through so far.</p>` : html`<${LetterTable} queue=${queue} letters=${page.items} can=${can} />`}
    <${Pages} address=${address} cursor=${page.cursor} />`;
}

function LetterTable({
  queue,
  letters,
  can,
}: {
  queue: string;
  letters: readonly DeadLetter[];
  can: Rights;
}): VNode {
  const columns: Column<DeadLetter>[] = [
    {
      head: "Job",
      cell: ({ job }) => html`<${Id} href=${to(["jobs", job.id], { queue })}>${job.id}</${Id}>`,
    },
    { head: "Given up", kind: "number", cell: ({ failed_at: at }) => html`<${Ago} at=${at} />` },
    {
      head: "Endpoint",
      cell: ({ endpoint }) =>
        endpoint === null
          ? html`<span class="soft">none</span>`
          : html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`,
    },
    {
      head: "Reason",
      kind: "wide",
      cell: ({ reason, detail, job }) =>
        html`<details>
          <summary>
            ${inWords(reason)}${detail !== null && html`<span class="soft">${" · "}<${Foreign}>${detail}</${Foreign}></span>`}
          </summary>
          <${Body} body=${job} />
        </details>`,
    },
    { head: "Attempts", kind: "number", cell: ({ attempts }) => count(attempts) },
  ];
  if (can.operate) {
    columns.push({
      head: "Actions",
      kind: "act",
      cell: ({ id }) =>
        html`<button
          type="button"
          class="small"
          onClick=${() => redriveOne(queue, id)}
          aria-label=${`Redrive ${id}`}
        >
          Redrive
        </button>`,
    });
  }
  return html`<${Table}
    label="Dead letters"
    columns=${columns}
    rows=${letters}
    keyOf=${({ id }: DeadLetter) => id}
  />`;
}
