import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { go, to, toEndpoint } from "../address.ts";
import { useWatched } from "../fetching.ts";
import { withQuery } from "../filters.ts";
import { html } from "../html.ts";
import { Empty, Foreign } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import type { Delivery, Endpoint, JobStory, Page, Queue } from "../types.ts";
import { DeliveryTable } from "./deliveries.ts";

/** A webhook-id is the job's id and eight hex digits of its endpoint. */
const jobIdOf = (text: string): string => text.replace(/_[0-9a-f]{8}$/, "");

/** What is found under a text: a job by its id or a webhook-id, endpoints, queues, an event. A job alone is shown at once. */
export function Find({ address, can }: ScreenProps): VNode {
  const text = address.query["q"] ?? "";
  const id = jobIdOf(text);
  const tried = useWatched<Page<Delivery>>(withQuery("v1/deliveries", { job_id: id, limit: "1" }), 0);
  const events = useWatched<Page<Delivery>>(withQuery("v1/deliveries", { event: text, limit: "20" }), 0);
  const endpoints = useWatched<{ endpoints: readonly Endpoint[] }>("v1/endpoints?limit=1000", 0);
  const queues = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const lower = text.toLowerCase();
  const named = (endpoints.data?.endpoints ?? []).filter(({ label }) => label.toLowerCase().includes(lower));
  const lines = (queues.data?.queues ?? []).filter(({ name }) => name.toLowerCase().includes(lower));
  const ofEvent = events.data?.items ?? [];
  const isDone = [tried, events, endpoints].every(({ data, error }) => data !== null || error !== null);
  const isTried = (tried.data?.items.length ?? 0) > 0;
  const isElse = ofEvent.length + named.length + lines.length > 0;
  // The backend is asked last: a job that has never been tried is the rarest, and costs most to look for.
  const waiting = useWatched<JobStory>(
    isDone && !isTried && !isElse ? `v1/jobs/${encodeURIComponent(id)}` : null,
    0,
  );
  const isJob = isTried || waiting.data !== null;
  const isNothing = isDone && !isJob && !isElse && waiting.error !== null;
  useEffect(() => {
    if (isJob && !isElse) go(to(["jobs", id]), true);
  }, [isJob, isElse, id]);
  return html`<h1 tabindex="-1">Found for “<${Foreign}>${text}</${Foreign}>”</h1>
    ${!isDone && html`<p class="soft wait">Asking …</p>`}
    ${
      isJob &&
      html`<section>
        <h2>Job</h2>
        <p><a href=${to(["jobs", id])}>${id}</a></p>
      </section>`
    }
    ${
      named.length > 0 &&
      html`<section>
        <h2>Endpoints</h2>
        <ul class="links">
          ${named.slice(0, 50).map(
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
    ${isNothing && html`<${Empty} title="Nothing is known under this."><p>Looked at: what waits and the dead letters by job id and webhook-id, the history of this process, events, and the names of endpoints and queues.</p></${Empty}>`}`;
}
