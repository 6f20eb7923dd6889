import type { VNode } from "preact";
import { to } from "../address.ts";
import { pauseQueue, resumeQueue } from "../changes.ts";
import { Curve, perMinute, smoothed } from "../curve.ts";
import { useWatched } from "../fetching.ts";
import { count, span } from "../format.ts";
import { html } from "../html.ts";
import { Shown, State } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { Queue } from "../types.ts";

/** All queues. */
export function Queues({ can }: ScreenProps): VNode {
  const reading = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  return html`<h1 tabindex="-1">Queues</h1>
    <${Shown} reading=${reading}
      >${({ queues }: { queues: readonly Queue[] }) => html`<${QueueTable} queues=${queues} can=${can} />`}</${Shown}
    >`;
}

/** Queues with their counts; where something waits for nothing, it says so. */
export function QueueTable({ queues, can }: { queues: readonly Queue[]; can: Rights }): VNode {
  const columns: Column<Queue>[] = [
    {
      head: "Queue",
      kind: "wide",
      cell: ({ name, paused }) =>
        html`<a href=${to(["queues", name])}>${name}</a
          >${paused && html` <${State} tone="held">paused</${State}>`}`,
    },
    { head: "Ready", kind: "number", cell: ({ ready }) => count(ready) },
    { head: "Delayed", kind: "number", isMinor: true, cell: ({ delayed }) => count(delayed) },
    { head: "Leased", kind: "number", isMinor: true, cell: ({ leased }) => count(leased) },
    { head: "Parked", kind: "number", cell: ({ parked }) => count(parked) },
    {
      head: "Dead",
      kind: "number",
      cell: ({ name, dead }) =>
        dead === null || dead === 0
          ? count(dead)
          : html`<a class="bad" href=${to(["dead"], { queue: name })}>${count(dead)}</a>`,
    },
    {
      head: "Oldest",
      kind: "number",
      cell: ({ oldest_ready_age_ms: oldest }) => (oldest === null ? "–" : span(oldest)),
    },
    {
      head: "Delivered",
      kind: "drawing",
      cell: ({ name, rates }) =>
        html`<span class="rate"
          ><${Curve}
            values=${smoothed(rates.delivered)}
            label=${`Delivered of ${name} in the last five minutes`}
          />
          <span>${count(perMinute(rates, rates.delivered))}/min</span></span
        >`,
    },
  ];
  if (can.operate) {
    columns.push({
      head: "Actions",
      kind: "act",
      cell: (queue) =>
        queue.paused
          ? html`<button
              type="button"
              class="small"
              onClick=${() => resumeQueue(queue)}
              aria-label=${`Resume ${queue.name}`}
            >
              Resume
            </button>`
          : html`<button
              type="button"
              class="small"
              onClick=${() => pauseQueue(queue)}
              aria-label=${`Pause ${queue.name}`}
            >
              Pause
            </button>`,
    });
  }
  return html`<${Table}
    label="Queues"
    columns=${columns}
    rows=${queues}
    keyOf=${({ name }: Queue) => name}
  />`;
}
