import type { VNode } from "preact";
import { to, toEndpoint } from "../address.ts";
import { AttemptLine } from "../attempts.ts";
import { changeJob, redriveOne } from "../changes.ts";
import { serverNow, useWatched } from "../fetching.ts";
import { withQuery } from "../filters.ts";
import { span } from "../format.ts";
import { html } from "../html.ts";
import { At, Body, Copy, Empty, Foreign, Id, Shown, State } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import type { Delivery, Job, JobStory } from "../types.ts";
import { deliveryState, inWords, jobState } from "../words.ts";

/** One job as a story, from top to bottom. */
export function JobScreen({ address, can }: ScreenProps): VNode {
  const id = address.path[1] ?? "";
  const reading = useWatched<JobStory>(
    withQuery(`v1/jobs/${encodeURIComponent(id)}`, { queue: address.query["queue"] }),
    2,
  );
  const isUnknown = reading.error?.status === 404 && reading.data === null;
  return html`<div class="head">
      <h1 tabindex="-1">Job${" "}<${Id}>${id}</${Id}></h1>
      <${Copy} text=${id} what="job id" />
    </div>
    ${
      isUnknown
        ? html`<${Empty} title="No job of this id is here."
            ><p>
              It does not wait, is no dead letter, and this process’ history does not know it: it was
              delivered by another process, or too long ago.
            </p></${Empty}
          >`
        : html`<${Shown} reading=${reading}
            >${(story: JobStory) => html`<${Story} story=${story} can=${can} />`}</${Shown}
          >`
    }`;
}

/** What the backend has of a delivery, and what the history knows of it. */
interface Line {
  readonly key: string;
  readonly endpoint: string | null;
  readonly job: Job | null;
  readonly delivery: Delivery | null;
}

/** One line for each delivery; a job that nobody has routed yet is one of its own. */
function linesOf({ jobs, deliveries }: JobStory): Line[] {
  const rest = new Set(jobs);
  const told = deliveries.toReversed().map((delivery): Line => {
    const isLast = deliveries.find((one) => one.endpoint === delivery.endpoint) === delivery;
    const job = isLast
      ? [...rest].find(
          ({ endpoint, delivery_id: id }) =>
            id === delivery.webhook_id || (endpoint !== null && endpoint === delivery.endpoint),
        )
      : undefined;
    if (job !== undefined) rest.delete(job);
    return { key: delivery.id, endpoint: delivery.endpoint, job: job ?? null, delivery };
  });
  const others = [...rest].map((job, at): Line => ({
    key: job.ref ?? `${job.id} ${at}`,
    endpoint: job.endpoint,
    job,
    delivery: null,
  }));
  return [...told, ...others];
}

function Story({ story, can }: { story: JobStory; can: Rights }): VNode {
  const { complete } = story;
  const lines = linesOf(story);
  const enqueued = story.jobs.find(({ enqueued_at: at }) => at !== null)?.enqueued_at ?? null;
  return html`<p class="soft">
      ${story.queue !== null && html`In the queue <a href=${to(["queues", story.queue])}>${story.queue}</a>`}${enqueued !== null && html`, enqueued at <${At} at=${enqueued} />`}.
      ${!complete && " More waits than is looked through for an id: what is not shown may be there all the same."}
    </p>
    ${lines.map((line) => html`<${Told} key=${line.key} line=${line} queue=${story.queue ?? ""} can=${can} />`)}`;
}

function Told({
  line: { endpoint, job, delivery },
  queue,
  can,
}: {
  line: Line;
  queue: string;
  can: Rights;
}): VNode {
  const now = job === null ? deliveryState(delivery?.state ?? "released") : jobState(job.state);
  const events = delivery?.events ?? job?.events ?? [];
  const body = delivery?.body_kept === true ? delivery : job;
  return html`<section class="told-of">
    <div class="head">
      <h2>
        ${endpoint === null ? "Not routed yet" : html`<a href=${toEndpoint(endpoint)}><${Foreign}>${endpoint}</${Foreign}></a>`}
        <${State} tone=${now.tone}>${now.text}</${State}>
      </h2>
      ${job !== null && can.operate && html`<${JobButtons} job=${job} queue=${job.queue ?? queue} />`}
    </div>
    <ol class="story">
      <li>
        <p>
          <${State} tone="plain"><strong>${delivery?.resend_of ? "Sent again" : "Enqueued"}</strong></${State}
          >${" "} ${job?.enqueued_at && html`at <${At} at=${job.enqueued_at} />, `}with${" "}
          <${Foreign}>${events.join(", ") || "bytes of its own"}</${Foreign}
          >${delivery?.resend_of && html`, a copy of${" "}<a href=${to(["deliveries", delivery.resend_of])}>an earlier delivery</a>`}
        </p>
      </li>
      ${
        endpoint !== null &&
        html`<li>
          <p>
            <${State} tone="plain"><strong>Routed</strong></${State}
            >${" "}to
            <${Foreign}>${endpoint}</${Foreign}
            >${delivery !== null && html`<span class="soft">${" as "}<code>${delivery.webhook_id}</code></span>`}
          </p>
        </li>`
      }
      ${delivery?.attempts.map((attempt) => html`<li key=${attempt.attempt}><${AttemptLine} attempt=${attempt} /></li>`)}
      <li><${End} job=${job} delivery=${delivery} /></li>
    </ol>
    ${
      body !== null &&
      html`<details>
        <summary>The payload</summary>
        <${Body} body=${body} />
      </details>`
    }
  </section>`;
}

/** Where it stands now. */
function End({ job, delivery }: { job: Job | null; delivery: Delivery | null }): VNode {
  if (job === null) {
    const { tone, text } = deliveryState(delivery?.state ?? "released");
    return html`<p>
      <${State} tone=${tone}><strong>${text}</strong></${State}
      >${delivery?.dead_reason && html`${" "}${inWords(delivery.dead_reason)}`}
      <span class="soft">${" "}at <${At} at=${delivery?.ended_at ?? null} /></span
      >${delivery !== null && html`${" · "}<a href=${to(["deliveries", delivery.id])}>with its headers</a>`}
    </p>`;
  }
  const { tone, text } = jobState(job.state);
  return html`<p>
      <${State} tone=${tone}><strong>${text}</strong></${State}
      >${" "}${endWords(job)}${delivery !== null && html`${" · "}<a href=${to(["deliveries", delivery.id])}>with its headers</a>`}
    </p>
    ${job.malformed !== undefined && html`<p>It cannot be read: <${Foreign}>${job.malformed}</${Foreign}></p>`}`;
}

function endWords(job: Job): VNode | string {
  const until = (iso: string): VNode =>
    html`<${At} at=${iso} /> <span class="soft">(in ${span(Date.parse(iso) - serverNow())})</span>`;
  switch (job.state) {
    case "ready":
      return "and taken next by a free worker";
    case "delayed":
      return job.due_at === null ? "" : html`until ${until(job.due_at)}, for attempt ${job.attempts + 1}`;
    case "leased":
      return job.lease_ends_at === null ? "now" : html`now; its lease ends at ${until(job.lease_ends_at)}`;
    case "parked":
      return "until its endpoint can take it";
    default:
      return html` ${inWords(job.reason ?? "")}${job.detail && html`, <${Foreign}>${job.detail}</${Foreign}>`}<span
          class="soft"
          >${" at "}<${At} at=${job.failed_at ?? null}
        /></span>`;
  }
}

/** What can be done with a job that the backend has. */
export function JobButtons({
  job,
  queue,
  isSmall = false,
}: {
  job: Job;
  queue: string;
  isSmall?: boolean;
}): VNode | null {
  const { ref, id, state } = job;
  const name = id ?? "this job";
  const size = isSmall ? "small" : "";
  if (state === "dead")
    return html`<span class="buttons"
      ><button type="button" class=${size} onClick=${() => redriveOne(queue, name)}>Redrive</button></span
    >`;
  if (ref === undefined || state === "leased") return null;
  return html`<span class="buttons">
    ${state !== "ready" && html`<button type="button" class=${size} aria-label=${`Deliver ${name} now`} onClick=${() => changeJob("run", queue, ref, name)}>Deliver now</button>`}
    <button
      type="button"
      class=${size}
      aria-label=${`Cancel ${name}`}
      onClick=${() => changeJob("cancel", queue, ref, name)}
    >
      Cancel …
    </button>
  </span>`;
}
