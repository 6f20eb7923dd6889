import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { to, toEndpoint } from "./address.ts";
import { reloadConfiguration, resumeQueue, switchEndpoint, testEndpoint } from "./changes.ts";
import { counted, withLocalTimes } from "./format.ts";
import { type Content, html } from "./html.ts";
import { Ago, Foreign, State, type Tone } from "./parts.ts";
import type { Rights } from "./screen.ts";
import type { Endpoint, Problem, Queue } from "./types.ts";

interface Known {
  readonly queues: readonly Queue[];
  readonly endpoints: readonly Endpoint[];
  readonly can: Rights;
}

const tones: Readonly<Record<Problem["severity"], Tone>> = { error: "bad", warning: "warn", note: "held" };
const words: Readonly<Record<string, string>> = {
  backend_unreachable: "the backend does not answer",
  backend_refuses_writes: "the backend refuses writes",
  not_durable: "the backend may lose jobs",
  breaker_open: "breaker open",
  dead_letters: "dead letters in the last hour",
  endpoint_disabled: "disabled",
  endpoint_paused: "paused",
  queue_paused: "paused",
  undrained_jobs: "jobs that nothing drains",
  config_refused: "the last reload was refused",
  config_needs_restart: "changes need a restart",
  process_behind: "this process is behind",
  history_not_written: "the history is not written",
};

/** Problems that are shown at first. */
const shownAtFirst = 12;

/** What stands wrong, each with what can be done about it. */
export function ProblemList({ problems, ...known }: Known & { problems: readonly Problem[] }): VNode {
  const [all, setAll] = useState(false);
  if (problems.length === 0) {
    return html`<p class="well">
      <${State} tone="good">Nothing needs you.</${State}>${" "}
      <span class="soft">What goes wrong is listed here, with what to do.</span>
    </p>`;
  }
  const shown = all ? problems : problems.slice(0, shownAtFirst);
  const more = problems.length - shown.length;
  return html`<ul class="problems">
      ${shown.map(
        (problem, at) =>
          html`<li key=${problem.id} class=${problem.severity}>
            <${Row} problem=${problem} isRepeated=${shown[at - 1]?.kind === problem.kind} ...${known} />
          </li>`,
      )}
    </ul>
    ${more > 0 && html`<p class="pages"><button type="button" onClick=${() => setAll(true)}>Show ${more} more</button></p>`}`;
}

/** One problem. A note takes a line, and what to do is said once for those of one kind that follow each other. */
function Row({ problem, isRepeated, ...known }: Known & { problem: Problem; isRepeated: boolean }): VNode {
  const { kind, object, severity, since, detail, remedy } = problem;
  const where = placeOf(problem);
  const waiting = waitingOf(problem, known);
  const name = html`<${Foreign}>${object}</${Foreign}>`;
  const isNote = severity === "note";
  const what = html`<${Foreign}>${sentence(withLocalTimes(detail))}</${Foreign}>`;
  const todo = (!isNote || !isRepeated) && html`${" "}<span class="soft">→ ${sentence(remedy)}</span>`;
  // What changes by itself stands in a column of its own, so that it moves nothing.
  return html`<div class="what">
      <p>
        <${State} tone=${tones[severity]}
          ><span class="unseen">${severity}: </span
          >${object !== "" && (where === null ? html`<strong>${name}</strong>${" "}` : html`<a class="object" href=${where}>${name}</a>${" "}`)}<strong
            >${words[kind] ?? kind.replaceAll("_", " ")}</strong
          ></${State}
        >
        ${isNote && html`${" · "}${what}${todo}`}
      </p>
      ${!isNote && html`<p class="detail">${what}${todo}</p>`}
    </div>
    <div class="since soft">
      <p>since <${Ago} at=${since} /></p>
      ${waiting !== null && html`<p>${waiting} waiting</p>`}
    </div>
    <p class="buttons">${buttonsOf(problem, known)}</p>`;
}

/** What the words say already is not said twice. */
function sentence(text: string): string {
  const rest = text.replace(/^(?:disabled|paused|dead letters in the last hour): /i, "");
  return `${rest.charAt(0).toUpperCase()}${rest.slice(1)}${/[.!?]$/.test(rest) ? "" : "."}`;
}

/** Where more of it is seen. */
function placeOf({ kind, object, detail }: Problem): string | null {
  if (/^(?:breaker|endpoint)_|^certificate/.test(kind)) return toEndpoint(object);
  // An endpoint may have jobs in several queues: the detail names the one that it is about.
  if (kind === "dead_letters")
    return to(["dead"], { queue: /\(queue ([\w-]+)\)/.exec(detail)?.[1], endpoint: object });
  if (/^dead_letters_|^retention/.test(kind)) return to(["dead"], { queue: object });
  if (kind === "loop_restarting" || kind === "process_behind") return to(["workers"]);
  if (kind.startsWith("config_")) return to(["configuration"]);
  if (object !== "" && /queue|undrained|unsettled|backend/.test(kind)) return to(["queues", object]);
  return null;
}

function waitingOf({ kind, object }: Problem, { queues, endpoints }: Known): string | null {
  if (kind === "queue_paused") {
    const ready = queues.find(({ name }) => name === object)?.ready ?? null;
    return ready === null ? null : counted(ready, "job");
  }
  const waiting = endpoints.find(({ label }) => label === object)?.waiting ?? null;
  return waiting === null || waiting === 0 ? null : counted(waiting, "job");
}

function buttonsOf(problem: Problem, { queues, endpoints, can }: Known): Content {
  const { kind, object } = problem;
  const where = placeOf(problem);
  const look =
    where !== null &&
    html`<a class="button" href=${where} aria-label=${`Look at ${object || kind}`}>Look</a>`;
  if (!can.operate) return look;
  const press = (words: string, run: () => void, isFirst = false): VNode =>
    html`<button
      type="button"
      class=${isFirst ? "first" : ""}
      onClick=${run}
      aria-label=${`${words} ${object}`}
    >
      ${words}
    </button>`;
  if (kind === "queue_paused") {
    const queue = queues.find(({ name }) => name === object);
    return [look, queue !== undefined && press("Resume", () => resumeQueue(queue), true)];
  }
  if (kind === "config_refused") return [look, press("Reload", reloadConfiguration, true)];
  if (/^(?:breaker|endpoint)_/.test(kind)) {
    const endpoint = endpoints.find(({ label }) => label === object);
    const test = press("Test", () => testEndpoint(object), kind === "breaker_open");
    if (endpoint === undefined || kind === "breaker_open") return [look, test];
    const verb = kind === "endpoint_paused" ? "resume" : "enable";
    return [
      look,
      test,
      press(verb === "resume" ? "Resume" : "Enable", () => switchEndpoint(endpoint, verb), true),
    ];
  }
  return look;
}
