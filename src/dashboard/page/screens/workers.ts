import type { VNode } from "preact";
import { restartWorker } from "../changes.ts";
import { useWatched } from "../fetching.ts";
import { count, span } from "../format.ts";
import { html } from "../html.ts";
import { Ago, Facts, Foreign, Shown, State, type Tone } from "../parts.ts";
import type { Rights, ScreenProps } from "../screen.ts";
import { type Column, Table } from "../table.ts";
import type { Health, Process, Worker } from "../types.ts";

const tones: Readonly<Record<string, Tone>> = {
  running: "good",
  starting: "held",
  restarting: "warn",
  failed: "bad",
};

/** The processes of this backend, and the loops of this one. */
export function Workers({ can }: ScreenProps): VNode {
  const workers = useWatched<{ workers: readonly Worker[] }>("v1/workers");
  const { data: health } = useWatched<Health>("health", 5);
  // Elsewhere no process knows of another.
  const isShared = health?.driver.startsWith("redis") === true;
  const processes = useWatched<readonly Process[]>(isShared ? "v1/processes" : null, 2);
  return html`<h1 tabindex="-1">Workers</h1>
    ${
      health !== null &&
      html`<${Facts}
        facts=${[
          ["This process", `hookline ${health.version}`],
          ["Runs for", span(health.uptime_ms)],
          ["Backend", `${health.driver}, ${health.durable ? "durable" : "not durable"}`],
        ]}
      />`
    }
    ${
      processes.data !== null &&
      html`<section aria-labelledby="processes">
        <h2 id="processes">Processes <span class="soft">on this backend</span></h2>
        <${ProcessTable} processes=${processes.data} />
      </section>`
    }
    <section aria-labelledby="loops">
      <h2 id="loops">Loops <span class="soft">of this process</span></h2>
      <${Shown} reading=${workers}
        >${({ workers: all }: { workers: readonly Worker[] }) => html`<${WorkerTable} workers=${all} can=${can} />`}</${Shown}
      >
    </section>`;
}

function ProcessTable({ processes }: { processes: readonly Process[] }): VNode {
  const columns: Column<Process>[] = [
    {
      head: "Process",
      kind: "wide",
      cell: ({ id, host }) =>
        html`<strong><${Foreign}>${host}</${Foreign}></strong> <span class="soft">${id}</span>`,
    },
    {
      head: "Configuration",
      cell: ({ behind }) =>
        behind === true
          ? html`<${State} tone="warn">behind</${State}>`
          : html`<${State} tone="good">newest</${State}>`,
    },
    { head: "Rank", kind: "number", cell: ({ rank }) => count(rank) },
    { head: "Version", cell: ({ version }) => version },
    { head: "Started", kind: "number", cell: ({ started_at: at }) => html`<${Ago} at=${at} />` },
  ];
  return html`<${Table}
    label="Processes"
    columns=${columns}
    rows=${processes}
    keyOf=${({ id }: Process) => id}
  />`;
}

function WorkerTable({ workers, can }: { workers: readonly Worker[]; can: Rights }): VNode {
  const columns: Column<Worker>[] = [
    { head: "Loop", cell: ({ id }) => id },
    {
      head: "State",
      cell: ({ state }) => html`<${State} tone=${tones[state] ?? "plain"}>${state}</${State}>`,
    },
    {
      head: "Last error",
      kind: "wide",
      cell: ({ last_error: text }) =>
        text === null ? html`<span class="soft">none</span>` : html`<${Foreign}>${text}</${Foreign}>`,
    },
    {
      head: "Restarts",
      kind: "number",
      cell: ({ restarts }) => html`<span class=${restarts > 0 ? "warn" : ""}>${count(restarts)}</span>`,
    },
    { head: "Last progress", kind: "number", cell: ({ progress_age_ms: ms }) => span(ms) },
  ];
  if (can.operate) {
    columns.push({
      head: "Actions",
      kind: "act",
      cell: ({ id }) =>
        html`<button
          type="button"
          class="small"
          onClick=${() => restartWorker(id)}
          aria-label=${`Restart ${id}`}
        >
          Restart
        </button>`,
    });
  }
  return html`<${Table} label="Loops" columns=${columns} rows=${workers} keyOf=${({ id }: Worker) => id} />`;
}
