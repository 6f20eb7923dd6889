import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { useWatched } from "../fetching.ts";
import { withQuery } from "../filters.ts";
import { html } from "../html.ts";
import { Empty, Foreign } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import type { Delivery, Endpoint, Page, Queue } from "../types.ts";
import { DeliveryTable } from "./deliveries.ts";

/** A webhook-id is the job's id and eight hex digits of its endpoint. */
const jobIdOf = (text: string): string => text.replace(/_[0-9a-f]{8}$/, "");

/** What is found under a text: a job by its id or a webhook-id, endpoints, queues, an event. */
export function Find({ address, can }: ScreenProps): VNode {
  const text = address.query["q"] ?? "";
  const jobs = useWatched<Page<Delivery>>(
    withQuery("v1/deliveries", { job_id: jobIdOf(text), limit: "20" }),
    0,
  );
  const events = useWatched<Page<Delivery>>(withQuery("v1/deliveries", { event: text, limit: "20" }), 0);
  const endpoints = useWatched<{ endpoints: readonly Endpoint[] }>("v1/endpoints?limit=1000", 0);
  const queues = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const lower = text.toLowerCase();
  const named = (endpoints.data?.endpoints ?? [])
    .filter(({ label }) => label.toLowerCase().includes(lower))
    .slice(0, 20);
  const lines = (queues.data?.queues ?? []).filter(({ name }) => name.toLowerCase().includes(lower));
  const ofJob = jobs.data?.items ?? [];
  const ofEvent = events.data?.items ?? [];
  const isAsking = [jobs, events, endpoints].some(({ data, error }) => data === null && error === null);
  const isNothing = !isAsking && ofJob.length + ofEvent.length + named.length + lines.length === 0;
  return html`<h1 tabindex="-1">Found for “<${Foreign}>${text}</${Foreign}>”</h1>
    ${isAsking && html`<p class="soft wait">Asking …</p>`}
    ${
      ofJob.length > 0 &&
      html`<section>
        <h2>Job <a href=${to(["jobs", jobIdOf(text)])}>${jobIdOf(text)}</a></h2>
        <${DeliveryTable} deliveries=${ofJob} can=${can} />
      </section>`
    }
    ${
      named.length > 0 &&
      html`<section>
        <h2>Endpoints</h2>
        <ul class="links">
          ${named.map(
            ({ label }) =>
              html`<li key=${label}>
                <a href=${toEndpoint(label)}><${Foreign}>${label}</${Foreign}></a>
              </li>`,
          )}
        </ul>
      </section>`
    }
    ${
      lines.length > 0 &&
      html`<section>
        <h2>Queues</h2>
        <ul class="links">
          ${lines.map(({ name }) => html`<li key=${name}><a href=${to(["queues", name])}>${name}</a></li>`)}
        </ul>
      </section>`
    }
    ${
      ofEvent.length > 0 &&
      html`<section>
        <h2>Deliveries of the event</h2>
        <${DeliveryTable} deliveries=${ofEvent} can=${can} />
      </section>`
    }
    ${isNothing && html`<${Empty} title="Nothing is known under this."><p>Looked at: the history of this process by job id, webhook-id and event; the names of endpoints and queues.</p></${Empty}>`}`;
}
