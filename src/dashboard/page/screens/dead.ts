import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { ask } from "../actions.ts";
import { send, useWatched } from "../fetching.ts";
import { Filters, given, Pages, withQuery } from "../filters.ts";
import { count, counted } from "../format.ts";
import { html } from "../html.ts";
import { Ago, Body, Empty, Foreign, Id, Shown } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { DeadLetter, Page, Queue } from "../types.ts";
import { inWords } from "../words.ts";

/** Jobs that were given up: by endpoint and reason, then one by one. */
export function DeadLetters({ address, can }: ScreenProps): VNode {
  const queues = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const all = queues.data?.queues ?? [];
  const most = all.toSorted((a, b) => (b.dead ?? 0) - (a.dead ?? 0))[0]?.name;
  const queue = address.query["queue"] ?? most;
  return html`<h1 tabindex="-1">Dead letters</h1>
    <${Filters}
      address=${address}
      filters=${[
        {
          name: "queue",
          label: "Queue",
          options: [
            ["", most ?? ""],
            ...all
              .filter(({ name }) => name !== most)
              .map(({ name, dead }) => [name, `${name} (${count(dead)})`] as const),
          ],
        },
      ]}
    />
    ${queue !== undefined && html`<${List} key=${queue} queue=${queue} address=${address} can=${can} />`}`;
}

function List({ queue, address, can }: ScreenProps & { queue: string }): VNode {
  const filter = given(address, ["cursor"]);
  const reading = useWatched<Page<DeadLetter>>(
    withQuery(`v1/queues/${encodeURIComponent(queue)}/dead`, { ...filter, limit: "50" }),
    filter["cursor"] === undefined ? 2 : 0,
  );
  return html`<${Shown} reading=${reading}>
    ${(page: Page<DeadLetter>) =>
      page.items.length === 0
        ? html`<${Empty} title="No dead letters."
            ><p>
              A job that was given up is kept here with its reason, until it is redriven or removed.
            </p></${Empty}
          >`
        : html`<${DeadTable} queue=${queue} letters=${page.items} can=${can} /><${Pages}
              address=${address}
              cursor=${page.cursor}
            />`}
  </${Shown}>`;
}

function DeadTable({
  queue,
  letters,
  can,
}: {
  queue: string;
  letters: readonly DeadLetter[];
  can: Rights;
}): VNode {
  const columns: Column<DeadLetter>[] = [
    { head: "Given up", cell: ({ failed_at: at }) => html`<${Ago} at=${at} />` },
    {
      head: "Endpoint",
      cell: ({ endpoint }) =>
        endpoint === null
          ? "–"
          : html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`,
    },
    {
      head: "Reason",
      kind: "wide",
      cell: ({ reason, detail, job }) =>
        html`<details>
          <summary>
            <strong>${inWords(reason)}</strong
            >${detail !== null && html` <span class="soft"><${Foreign}>${detail}</${Foreign}></span>`}
          </summary>
          <${Body} body=${job} />
        </details>`,
    },
    { head: "Attempts", kind: "number", cell: ({ attempts }) => count(attempts) },
    {
      head: "Job",
      cell: ({ job }) => html`<${Id} href=${to(["jobs", job.id], { queue })}>${job.id}</${Id}>`,
    },
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

function redriveOne(queue: string, id: string): void {
  ask({
    title: "Redrive this dead letter?",
    text: `It becomes ready in ${queue} again, with all its attempts before it.`,
    verb: "Redrive",
    run: async () => {
      const { redriven } = await send<{ redriven: number }>(
        "POST",
        `v1/queues/${encodeURIComponent(queue)}/dead/redrive`,
        { ids: [id] },
      );
      return { text: `${counted(redriven, "dead letter")} redriven.` };
    },
  });
}
