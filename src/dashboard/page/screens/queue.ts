import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { pauseQueue, resumeQueue } from "../changes.ts";
import { Curve, smoothed } from "../curve.ts";
import { useWatched } from "../fetching.ts";
import { AsOf, Pages, withQuery } from "../filters.ts";
import { count, span } from "../format.ts";
import { html } from "../html.ts";
import { Ago, At, Empty, Facts, Foreign, Id, Shown, State } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { Job, Page, Queue } from "../types.ts";
import { JobButtons } from "./job.ts";

const states = ["ready", "delayed", "leased", "parked"] as const;

/** One queue: its counts, its last five minutes, and what waits in it. */
export function QueueScreen({ address, can }: ScreenProps): VNode {
  const name = address.path[1] ?? "";
  const reading = useWatched<Queue>(`v1/queues/${encodeURIComponent(name)}`);
  const queue = reading.data;
  return html`<div class="head">
      <h1 tabindex="-1">Queue ${name}</h1>
      ${
        can.operate &&
        queue !== null &&
        html`<span class="buttons"
          ><button
            type="button"
            class=${queue.paused ? "first" : ""}
            onClick=${() => (queue.paused ? resumeQueue(queue) : pauseQueue(queue))}
          >
            ${queue.paused ? "Resume" : "Pause"}
          </button></span
        >`
      }
    </div>
    <${Shown} reading=${reading}>${(shown: Queue) => html`<${Standing} queue=${shown} />`}</${Shown}>
    ${queue !== null && queue.driver !== "sqs" && queue.driver !== "none" && html`<${Waiting} queue=${queue} address=${address} can=${can} />`}`;
}

function Standing({ queue }: { queue: Queue }): VNode {
  const { dead, rates, oldest_ready_age_ms: oldest } = queue;
  const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
  return html`<${Facts}
      facts=${[
        [
          "State",
          queue.paused
            ? html`<${State} tone="held"
                >paused ${queue.scope === "cluster" ? "everywhere" : "in this process"}</${State}
              >`
            : html`<${State} tone="good">consumed</${State}>`,
        ],
        ["Oldest ready", oldest === null ? "–" : span(oldest)],
        ["Dead letters", html`<a href=${to(["dead"], { queue: queue.name })}>${count(dead)}</a>`],
        ["See", html`<a href=${to(["deliveries"], { queue: queue.name })}>its deliveries</a>`],
      ]}
    />
    <div class="wide-curves">
      <figure>
        <figcaption>
          Delivered in five minutes${" "}<strong>${count(sum(rates.delivered))}</strong>
        </figcaption>
        <${Curve} values=${smoothed(rates.delivered)} label="Delivered in the last five minutes" />
      </figure>
      <figure>
        <figcaption>
          Failed attempts${" "}<strong class=${sum(rates.failed) > 0 ? "bad" : ""}
            >${count(sum(rates.failed))}</strong
          >
        </figcaption>
        <${Curve}
          values=${smoothed(rates.failed)}
          tone="bad"
          label="Failed attempts in the last five minutes"
        />
      </figure>
    </div>`;
}

/** The jobs of one state, in the order in which they will be taken. */
function Waiting({ queue, address, can }: ScreenProps & { queue: Queue }): VNode {
  const state =
    states.find((one) => one === address.query["state"]) ??
    states.find((one) => (queue[one] ?? 0) > 0) ??
    "ready";
  const path = withQuery(`v1/queues/${encodeURIComponent(queue.name)}/jobs`, {
    state,
    limit: "50",
    cursor: address.query["cursor"],
  });
  const reading = useWatched<Page<Job>>(path, 0);
  return html`<section aria-labelledby="waiting">
    <h2 id="waiting">What waits</h2>
    <div class="tabs-row">
      <nav class="tabs" aria-label="State">
        ${states.map((one) => html`<a key=${one} href=${to(address.path, { state: one })} aria-current=${one === state ? "true" : null}>${one}${" "}<span class="soft">${count(queue[one])}</span></a>`)}
      </nav>
      <${AsOf} at=${reading.at} />
    </div>
    <${Shown} reading=${reading}>
      ${(page: Page<Job>) =>
        page.items.length === 0
          ? html`<${Empty} title=${`Nothing is ${state}.`}><p>${emptyWords[state]}</p></${Empty}>`
          : html`<${Jobs} queue=${queue.name} state=${state} jobs=${page.items} can=${can.operate} /><${Pages}
                address=${address}
                cursor=${page.cursor}
              />`}
    </${Shown}>
  </section>`;
}

const emptyWords = {
  ready:
    "Jobs that can be taken now stand here when more come than are delivered, or while the queue is paused.",
  delayed: "Jobs that wait for their time stand here: retries, and those that were sent with a delay.",
  leased: "Jobs that some process is at work on stand here.",
  parked: "Jobs stand here that were put aside until their endpoint can take them.",
} as const;

function Jobs({
  queue,
  state,
  jobs,
  can,
}: {
  queue: string;
  state: (typeof states)[number];
  jobs: readonly Job[];
  can: boolean;
}): VNode {
  const columns: Column<Job>[] = [
    {
      head: "Job",
      cell: ({ id, job_id: job }) =>
        id === null
          ? html`<span class="soft">no id yet</span>`
          : html`<${Id} href=${to(["jobs", job ?? id], { queue })}>${job ?? id}</${Id}>`,
    },
    {
      head: "Endpoint",
      cell: ({ endpoint }) =>
        endpoint === null
          ? html`<span class="soft">not routed yet</span>`
          : html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`,
    },
    {
      head: "Event",
      kind: "wide",
      cell: ({ events }) =>
        html`<span class="cut"><${Foreign}>${events.join(", ") || "–"}</${Foreign}></span>`,
    },
    { head: "Attempts", kind: "number", cell: ({ attempts }) => count(attempts) },
    { head: "Enqueued", kind: "number", cell: ({ enqueued_at: at }) => html`<${Ago} at=${at} />` },
  ];
  if (state === "delayed")
    columns.push({ head: "Due", kind: "number", cell: ({ due_at: at }) => html`<${At} at=${at} />` });
  if (state === "leased")
    columns.push({
      head: "Lease ends",
      kind: "number",
      cell: ({ lease_ends_at: at }) => html`<${At} at=${at} />`,
    });
  if (can && state !== "leased")
    columns.push({
      head: "Actions",
      kind: "act",
      cell: (job) => html`<${JobButtons} job=${job} queue=${queue} isSmall=${true} />`,
    });
  return html`<${Table}
    label="Waiting jobs"
    columns=${columns}
    rows=${jobs}
    keyOf=${({ ref, id }: Job) => ref ?? id ?? ""}
  />`;
}
