import type { VNode } from "preact";
import { to } from "../address.ts";
import { Curve, perMinute, smoothed, summed } from "../curve.ts";
import { type Reading, useWatched } from "../fetching.ts";
import { count, counted, span } from "../format.ts";
import { html } from "../html.ts";
import { Empty, Shell, Shown } from "../parts.ts";
import { ProblemList } from "../problems.ts";
import type { ScreenProps } from "../screen.ts";
import { useTrail } from "../trail.ts";
import type { Endpoint, Problem, Queue } from "../types.ts";
import { EndpointTable } from "./endpoints.ts";
import { QueueTable } from "./queues.ts";

/** What needs somebody, then how much goes through. */
export function Overview({ can }: ScreenProps): VNode {
  const problems = useWatched<readonly Problem[]>("v1/problems");
  const queues = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const endpoints = useWatched<{ endpoints: readonly Endpoint[]; complete: boolean }>(
    "v1/endpoints?sort=attention&limit=10",
  );
  return html`<h1 class="unseen" tabindex="-1">Overview</h1>
    <${Figures} reading=${queues} />
    <section aria-labelledby="needs">
      <h2 id="needs">Needs you</h2>
      <${Shown} reading=${problems}>
        ${(all: readonly Problem[]) => html`<${ProblemList} problems=${all} queues=${queues.data?.queues ?? []} endpoints=${endpoints.data?.endpoints ?? []} can=${can} />`}
      </${Shown}>
    </section>
    <section aria-labelledby="queues">
      <h2 id="queues">Queues</h2>
      <${Shown} reading=${queues}>
        ${({ queues: all }: { queues: readonly Queue[] }) => html`<${QueueTable} queues=${all} can=${can} />`}
      </${Shown}>
    </section>
    <section aria-labelledby="endpoints">
      <h2 id="endpoints">Endpoints <span class="soft">by what waits</span></h2>
      <${Shown} reading=${endpoints}>
        ${(page: { endpoints: readonly Endpoint[]; complete: boolean }) =>
          html`<${EndpointTable} endpoints=${page.endpoints} can=${can} />
            ${!page.complete && html`<p class="pages"><a class="button" href="#/endpoints">All endpoints</a></p>`}`}
      </${Shown}>
    </section>
    ${queues.data !== null && isUntouched(queues.data.queues) && html`<${FirstSteps} queues=${queues.data.queues} />`}`;
}

/** Four figures with their last five minutes. */
function Figures({ reading }: { reading: Reading<{ queues: readonly Queue[] }> }): VNode {
  const queues = reading.data?.queues ?? [];
  const rates = queues.map((queue) => queue.rates);
  const delivered = summed(rates.map((one) => one.delivered));
  const failed = summed(rates.map((one) => one.failed));
  const died = summed(rates.map((one) => one.dead));
  const step = { step_ms: rates[0]?.step_ms ?? 5_000 };
  const good = perMinute(step, delivered);
  const bad = perMinute(step, failed);
  const share = good + bad === 0 ? 0 : (100 * bad) / (good + bad);
  const shares = smoothed(failed).map((one, at) => {
    const all = one + (smoothed(delivered)[at] ?? 0);
    return all === 0 ? 0 : one / all;
  });
  const ages = queues.map((queue) => queue.oldest_ready_age_ms);
  const oldest = ages.every((one) => one === null) ? null : Math.max(...ages.map((one) => one ?? 0));
  const trail = useTrail("oldest", reading.data === null ? null : (oldest ?? 0));
  const isKnown = queues.some((queue) => queue.dead !== null);
  const dead = queues.reduce((sum, queue) => sum + (queue.dead ?? 0), 0);
  const isOn = reading.data !== null;
  const waiting = queues.reduce((sum, queue) => sum + (queue.ready ?? 0), 0);
  return html`<dl class="figures">
    <${Figure}
      name="Delivered"
      value=${isOn ? count(good) : "–"}
      unit="a minute"
      curve=${html`<${Curve} values=${smoothed(delivered)} label="Delivered in the last five minutes" />`}
    />
    <${Figure}
      name="Failing"
      value=${isOn ? share.toFixed(share > 0 && share < 10 ? 1 : 0) : "–"}
      unit="% of attempts"
      tone=${share >= 1 ? "bad" : ""}
      curve=${html`<${Curve} values=${shares} label="Share of attempts that failed in the last five minutes" tone="bad" />`}
    />
    <${Figure}
      name="Oldest ready"
      value=${oldest === null ? (waiting === 0 && isOn ? "none" : "–") : span(oldest)}
      unit=""
      tone=${oldest !== null && oldest >= 60_000 ? "warn" : ""}
      curve=${html`<${Curve} values=${trail} most=${5_000} label="Age of the oldest ready job since this page was opened" tone="warn" />`}
    />
    <${Figure}
      name="Dead letters"
      value=${isOn ? (isKnown ? count(dead) : "–") : "–"}
      unit=""
      href=${to(["dead"])}
      tone=${dead > 0 ? "bad" : ""}
      curve=${html`<${Curve} values=${died} label="Dead letters made in the last five minutes" tone="bad" />`}
    />
  </dl>`;
}

function Figure({
  name,
  value,
  unit,
  curve,
  tone = "",
  href,
}: {
  name: string;
  value: string;
  unit: string;
  curve: VNode;
  tone?: string;
  href?: string;
}): VNode {
  const shown = html`<span class="value ${tone}">${value}</span>`;
  return html`<div>
    <dt>${name}${unit !== "" && ` ${unit}`}</dt>
    <dd>${href === undefined ? shown : html`<a href=${href}>${shown}</a>`}</dd>
    <dd class="drawn">${curve}</dd>
  </div>`;
}

function isUntouched(queues: readonly Queue[]): boolean {
  return queues.every(
    ({ ready, delayed, leased, parked, dead, rates }) =>
      (ready ?? 0) + (delayed ?? 0) + (leased ?? 0) + (parked ?? 0) + (dead ?? 0) === 0 &&
      rates.delivered.every((one) => one === 0),
  );
}

function FirstSteps({ queues }: { queues: readonly Queue[] }): VNode {
  const name = queues[0]?.name ?? "webhooks";
  return html`<section>
    <${Empty} title="Nothing has come yet.">
      <p>
        ${counted(queues.length, "queue")} ${queues.length === 1 ? "waits" : "wait"} for jobs. This enqueues
        one, for a configured endpoint named billing:
      </p>
      <${Shell}
        >${`curl -H 'Authorization: Bearer TOKEN' -H 'content-type: application/json' ${new URL(`v1/queues/${name}/jobs`, document.baseURI).href} -d '{"type":"invoice.paid","data":{"id":1},"endpoint":"billing"}'`}</${Shell}
      >
    </${Empty}>
  </section>`;
}
