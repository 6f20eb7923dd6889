import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { AttemptLine } from "../attempts.ts";
import { resendDelivery } from "../changes.ts";
import { useWatched } from "../fetching.ts";
import { counted } from "../format.ts";
import { html } from "../html.ts";
import { At, Body, Copy, Facts, Foreign, Id, Shown, State } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import type { Attempt, Delivery } from "../types.ts";
import { deliveryState, inWords } from "../words.ts";

/** One delivery: its attempts, the latest first, and what was sent. */
export function DeliveryScreen({ address, can }: ScreenProps): VNode {
  const id = address.path[1] ?? "";
  const reading = useWatched<Delivery>(`v1/deliveries/${encodeURIComponent(id)}`, 2);
  return html`<${Shown} reading=${reading}>
    ${(delivery: Delivery) => html`<${Whole} delivery=${delivery} can=${can} />`}
  </${Shown}>`;
}

function Whole({ delivery, can }: { delivery: Delivery; can: Rights }): VNode {
  const { endpoint, state, events, attempts, attempts_left_out: leftOut = 0 } = delivery;
  const { tone, text } = deliveryState(state);
  return html`<div class="head">
      <h1 tabindex="-1">Delivery to <${Foreign}>${endpoint}</${Foreign}></h1>
      ${
        can.operate &&
        html`<span class="buttons"
          ><button
            type="button"
            class="first"
            disabled=${!delivery.body_kept}
            onClick=${() => resendDelivery(delivery.id, endpoint)}
          >
            Send again
          </button></span
        >`
      }
    </div>
    <${Facts}
      facts=${[
        [
          "State",
          html`<${State} tone=${tone}>${text}</${State}
            >${delivery.dead_reason !== null && ` ${inWords(delivery.dead_reason)}`}`,
        ],
        ["Endpoint", html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`],
        ["Event", html`<${Foreign}>${events.join(", ") || "–"}</${Foreign}>`],
        ["Queue", html`<a href=${to(["queues", delivery.queue])}>${delivery.queue}</a>`],
        [
          "Job",
          html`<${Id} href=${to(["jobs", delivery.job_id], { queue: delivery.queue })}
            >${delivery.job_id}</${Id}
          >`,
        ],
        [
          "webhook-id",
          html`<${Id}>${delivery.webhook_id}</${Id}>
            <${Copy} text=${delivery.webhook_id} what="webhook-id" />`,
        ],
        delivery.resend_of === null
          ? null
          : [
              "Sends again",
              html`<${Id} href=${to(["deliveries", delivery.resend_of])}>${delivery.resend_of}</${Id}>`,
            ],
        ["First tried", html`<${At} at=${delivery.started_at} />`],
      ]}
    />
    <section aria-labelledby="attempts">
      <h2 id="attempts">${counted(attempts.length + leftOut, "attempt")}</h2>
      <ol class="story">
        ${attempts.toReversed().map((attempt: Attempt) => html`<li key=${attempt.attempt}><${AttemptLine} attempt=${attempt} /></li>`)}
      </ol>
      ${leftOut > 0 && html`<p class="soft">${counted(leftOut, "earlier attempt")} had no room in the history.</p>`}
    </section>
    <section aria-labelledby="sent">
      <h2 id="sent">What was sent</h2>
      ${
        delivery.request_headers !== null &&
        html`<${Facts}
          facts=${Object.entries(delivery.request_headers).map(([name, value]) => [name, html`<code><${Foreign}>${value}</${Foreign}></code>`] as const)}
        />`
      }
      ${
        delivery.body_kept
          ? html`<${Body} body=${delivery} />`
          : html`<p class="soft">
              The body is not kept: history.body is false, or there was no room for it. It cannot be sent
              again from here.
            </p>`
      }
    </section>`;
}
