import type { VNode } from "preact";
import { to } from "../address.ts";
import { endpointApi } from "../changes.ts";
import { Curve, smoothed, summed } from "../curve.ts";
import { useWatched } from "../fetching.ts";
import { count, duration, span, withLocalTimes } from "../format.ts";
import { html } from "../html.ts";
import { At, Empty, Facts, Foreign, Id, Shown, State } from "../parts.ts";
import type { ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { Endpoint, LoggedAttempt, Rates } from "../types.ts";
import { endpointState, inWords } from "../words.ts";
import { EndpointButtons } from "./endpoints.ts";

/** One endpoint: how it stands, what it answered lately, how it is set. */
export function EndpointScreen({ address, can }: ScreenProps): VNode {
  const [, app = "-", name = ""] = address.path;
  const label = app === "-" ? name : `${app}/${name}`;
  const api = endpointApi(label);
  const reading = useWatched<Endpoint>(api);
  const attempts = useWatched<{ attempts: readonly LoggedAttempt[] }>(`${api}/attempts?limit=50`);
  return html`<div class="head">
      <h1 tabindex="-1"><${Foreign}>${label}</${Foreign}></h1>
      ${can.operate && reading.data !== null && html`<${EndpointButtons} endpoint=${reading.data} />`}
    </div>
    <${Shown} reading=${reading}
      >${(endpoint: Endpoint) => html`<${Standing} endpoint=${endpoint} />`}</${Shown}
    >
    <section aria-labelledby="attempts">
      <h2 id="attempts">Last attempts <span class="soft">of this process</span></h2>
      <${Shown} reading=${attempts}>
        ${({ attempts: made }: { attempts: readonly LoggedAttempt[] }) =>
          made.length === 0
            ? html`<${Empty} title="None yet."
                ><p>
                  A test delivery shows at once whether the receiver answers; it does not stand in this list.
                </p></${Empty}
              >`
            : html`<${Attempts} attempts=${made} />`}
      </${Shown}>
    </section>
    <${Shown} reading=${reading}
      >${(endpoint: Endpoint) => html`<${Settings} endpoint=${endpoint} />`}</${Shown}
    >`;
}

const total = (values: Rates["failed"]): number => values.reduce((sum, one) => sum + one, 0);

function Standing({ endpoint }: { endpoint: Endpoint }): VNode {
  const { label, rates, waiting, oldest_waiting_age_ms: oldest, in_flight: inFlight, target } = endpoint;
  const { tone, text } = endpointState(endpoint);
  return html`<${Facts}
      facts=${[
        ["State", html`<${State} tone=${tone}>${text}</${State}>`],
        [
          "Receiver",
          html`<code
            ><${Foreign}
              >${target.kind === "http" ? target.url : `${target.function} (Lambda, ${target.region})`}</${Foreign}
            ></code
          >`,
        ],
        [
          "Waiting",
          html`${count(waiting)}${oldest !== null && html`<span class="soft">, the oldest for ${span(oldest)}</span>`}`,
        ],
        [
          "In flight",
          html`${count(inFlight)}${endpoint.window !== null && html`<span class="soft"> of at most ${endpoint.window}</span>`}`,
        ],
        [
          "See",
          html`<a href=${to(["deliveries"], { endpoint: label })}>deliveries</a>,
            <a href=${to(["dead"], { endpoint: label })}>dead letters</a>`,
        ],
      ]}
    />
    <div class="wide-curves">
      <figure>
        <figcaption>Delivered in five minutes <strong>${count(total(rates.delivered))}</strong></figcaption>
        <${Curve} values=${smoothed(rates.delivered)} label="Delivered in the last five minutes" />
      </figure>
      <figure>
        <figcaption>
          Failed <strong class=${total(rates.failed) > 0 ? "bad" : ""}>${count(total(rates.failed))}</strong>
        </figcaption>
        <${Curve}
          values=${smoothed(rates.failed)}
          most=${Math.max(1, ...summed([rates.delivered]))}
          tone="bad"
          label="Failed attempts in the last five minutes"
        />
      </figure>
    </div>`;
}

function Attempts({ attempts }: { attempts: readonly LoggedAttempt[] }): VNode {
  const columns: Column<LoggedAttempt>[] = [
    { head: "Ended", cell: ({ at }) => html`<${At} at=${at} />` },
    {
      head: "Came to",
      kind: "wide",
      cell: ({ outcome, detail }) =>
        html`<${State} tone=${outcome === "delivered" ? "good" : outcome === "aborted" ? "held" : "bad"}
          ><${Foreign}>${withLocalTimes(detail)}</${Foreign}></${State}
        >`,
    },
    { head: "Took", kind: "number", cell: ({ duration_ms: ms }) => duration(ms) },
    { head: "Attempt", kind: "number", isMinor: true, cell: ({ attempt }) => attempt },
    {
      head: "Then",
      cell: ({ next, retry_in_ms: ms, dead_reason: reason }) =>
        next === "retry"
          ? `again in ${span(ms ?? 0)}`
          : next === "dead"
            ? `dead: ${inWords(reason ?? "")}`
            : next === "done"
              ? ""
              : "given back",
    },
    {
      head: "Job",
      cell: ({ job_id: job, queue }) => html`<${Id} href=${to(["jobs", job], { queue })}>${job}</${Id}>`,
    },
  ];
  return html`<${Table}
    label="Last attempts"
    columns=${columns}
    rows=${attempts}
    keyOf=${({ delivery_id: id, attempt, at }: LoggedAttempt) => `${id} ${attempt} ${at}`}
  />`;
}

function Settings({ endpoint: { limits, signing, scope } }: { endpoint: Endpoint }): VNode {
  const shown = Object.entries(limits).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  return html`<section aria-labelledby="settings">
    <h2 id="settings">Settings</h2>
    <${Facts}
      facts=${[
        ["Signatures", signing.join(", ") || "none"],
        ["Its mode holds", scope === "cluster" ? "in all processes on this backend" : "in this process"],
        ...shown.map(([name, value]) => [inWords(name), html`<code>${settingText(value)}</code>`] as const),
      ]}
    />
  </section>`;
}

/** A setting as text; one of several parts with their names. */
function settingText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return Object.entries(value)
    .map(([name, part]) => `${inWords(name)} ${settingText(part)}`)
    .join(", ");
}
