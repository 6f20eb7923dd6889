import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { AttemptLine } from "../attempts.ts";
import { useWatched } from "../fetching.ts";
import { withQuery } from "../filters.ts";
import { counted } from "../format.ts";
import { html } from "../html.ts";
import { At, Body, Copy, Empty, Foreign, Id, Shown, State } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import type { Delivery, Page } from "../types.ts";
import { deliveryState, inWords } from "../words.ts";

/** One job as a story, from top to bottom. */
export function JobScreen({ address }: ScreenProps): VNode {
  const id = address.path[1] ?? "";
  const reading = useWatched<Page<Delivery>>(withQuery("v1/deliveries", { job_id: id, limit: "100" }), 2);
  return html`<div class="head">
      <h1 tabindex="-1">Job <${Id}>${id}</${Id}></h1>
      <${Copy} text=${id} what="job id" />
    </div>
    <${Shown} reading=${reading}>
      ${({ items }: Page<Delivery>) =>
        items.length === 0
          ? html`<${Empty} title="No delivery of this job is known."
              ><p>It may wait still, or it was delivered before this process’ history begins.</p></${Empty}
            >`
          : html`<p class="soft">${counted(items.length, "delivery", "deliveries")} known to this process.</p>
              ${items.toReversed().map((delivery) => html`<${Story} key=${delivery.id} delivery=${delivery} />`)}`}
    </${Shown}>`;
}

function Story({ delivery }: { delivery: Delivery }): VNode {
  const { tone, text } = deliveryState(delivery.state);
  return html`<section class="told-of">
    <h2>
      <a href=${toEndpoint(delivery.endpoint)}><${Foreign}>${delivery.endpoint}</${Foreign}></a>
      <${State} tone=${tone}>${text}</${State}>
    </h2>
    <ol class="story">
      <li>
        <p>
          <${State} tone="plain"><strong>Routed</strong></${State}> to
          <${Foreign}>${delivery.endpoint}</${Foreign}> with
          <${Foreign}>${delivery.events.join(", ") || "its bytes"}</${Foreign}
          ><span class="soft"> from the queue ${delivery.queue}</span>
        </p>
      </li>
      ${delivery.attempts.map((attempt) => html`<li key=${attempt.attempt}><${AttemptLine} attempt=${attempt} /></li>`)}
      <li>
        <p>
          <${State} tone=${tone}><strong>${text}</strong></${State}
          >${delivery.dead_reason !== null && html`, ${inWords(delivery.dead_reason)}`}
          <span class="soft"> <${At} at=${delivery.ended_at} /></span> ·
          <a href=${to(["deliveries", delivery.id])}>the delivery with its headers</a>
        </p>
      </li>
    </ol>
    ${
      delivery.body_kept &&
      html`<details>
        <summary>The body</summary>
        <${Body} body=${delivery} />
      </details>`
    }
  </section>`;
}
