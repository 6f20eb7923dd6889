import type { VNode } from "preact";
import { to } from "../address.ts";
import { pauseQueue, resumeQueue } from "../changes.ts";
import { Curve, smoothed } from "../curve.ts";
import { useWatched } from "../fetching.ts";
import { count, span } from "../format.ts";
import { html } from "../html.ts";
import { Facts, Shown, State } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import type { Queue } from "../types.ts";

/** One queue: its counts and its last five minutes. */
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
    <${Shown} reading=${reading}>${(shown: Queue) => html`<${Standing} queue=${shown} />`}</${Shown}>`;
}

function Standing({ queue }: { queue: Queue }): VNode {
  const { ready, delayed, leased, parked, dead, rates, oldest_ready_age_ms: oldest } = queue;
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
        [
          "Ready",
          html`${count(ready)}${oldest !== null && html`<span class="soft">, the oldest for ${span(oldest)}</span>`}`,
        ],
        ["Delayed", count(delayed)],
        ["Leased", count(leased)],
        ["Parked", count(parked)],
        ["Dead", html`<a href=${to(["dead"], { queue: queue.name })}>${count(dead)}</a>`],
        ["See", html`<a href=${to(["deliveries"], { queue: queue.name })}>deliveries</a>`],
      ]}
    />
    <div class="wide-curves">
      <figure>
        <figcaption>Delivered in five minutes <strong>${count(sum(rates.delivered))}</strong></figcaption>
        <${Curve} values=${smoothed(rates.delivered)} label="Delivered in the last five minutes" />
      </figure>
      <figure>
        <figcaption>
          Failed attempts
          <strong class=${sum(rates.failed) > 0 ? "bad" : ""}>${count(sum(rates.failed))}</strong>
        </figcaption>
        <${Curve}
          values=${smoothed(rates.failed)}
          tone="bad"
          label="Failed attempts in the last five minutes"
        />
      </figure>
    </div>`;
}
