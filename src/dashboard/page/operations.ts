import type { VNode } from "preact";
import { ask, type Done, tell } from "./actions.ts";
import { ApiError, request, send, useWatched } from "./fetching.ts";
import { count, counted } from "./format.ts";
import { html } from "./html.ts";
import { Ago, State } from "./parts.ts";
import type { Rights } from "./screen.ts";
import type { Operation, Page } from "./types.ts";

const verbs: Readonly<Record<string, readonly [doing: string, done: string]>> = {
  redrive: ["Redriving", "redriven"],
  remove: ["Removing", "removed"],
  resend: ["Sending again", "sent again"],
  reencrypt: ["Encrypting anew", "encrypted anew"],
};

const patienceMs = 60_000;

/**
 * What a dry run would do to how many. A large one takes its time: then it is asked for until it has ended.
 *
 * @throws ApiError
 */
export async function dryRun(path: string, body: object): Promise<Operation> {
  let operation = await send<Operation>("POST", path, { ...body, dry_run: true });
  const end = Date.now() + patienceMs;
  while (operation.state === "running" && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    operation = JSON.parse(await request("GET", `v1/operations/${operation.id}`)) as Operation;
  }
  if (operation.state === "running" || operation.state === "failed") {
    throw new ApiError(0, "late", operation.error?.detail ?? "counting takes longer than a minute");
  }
  return operation;
}

/** Starts it, and says how far it came in the first second. */
export async function operate(path: string, body: object): Promise<Done> {
  const { kind, state, done, matched, failed, error } = await send<Operation>("POST", path, body);
  const [doing, past] = verbs[kind] ?? ["Working", "done"];
  if (error !== undefined && error !== null) throw new ApiError(0, error.code, error.detail);
  if (state === "running")
    return {
      text: `${doing} ${count(matched)} … It goes on by itself; its progress stands at Dead letters.`,
    };
  const refused = Object.values(failed ?? {}).reduce((sum, one) => sum + one, 0);
  return {
    text: `${count(done)} ${past}.${refused > 0 ? ` ${count(refused)} were refused by the backend and are where they were.` : ""}`,
  };
}

/** Tells what went wrong before a question could be asked. */
export function complain(error: unknown): void {
  tell({ text: error instanceof Error ? error.message : String(error) });
}

/** The bulk runs that are under way. */
export function Operations({ can }: { can: Rights }): VNode | null {
  const { data } = useWatched<Page<Operation>>("v1/operations?limit=20");
  const running = (data?.items ?? []).filter(({ state, dry_run: isDry }) => state === "running" && !isDry);
  if (running.length === 0) return null;
  return html`<ul class="problems operations" aria-label="Under way">
    ${running.map((operation) => html`<li key=${operation.id}><${Row} operation=${operation} can=${can} /></li>`)}
  </ul>`;
}

function Row({ operation, can }: { operation: Operation; can: Rights }): VNode {
  const { id, kind, queue, total, looked, done, started_at: at } = operation;
  const doing = verbs[kind]?.[0] ?? kind;
  const stop = (): void =>
    ask({
      title: `Stop ${doing.toLowerCase()}?`,
      text: `${counted(done, "is", "are")} done and stay so. The same again does the rest.`,
      verb: "Stop",
      run: async () => {
        await send("DELETE", `v1/operations/${id}`);
        return { text: `Stopped after ${count(done)}.` };
      },
    });
  return html`<div class="what">
      <p>
        <${State} tone="held"><strong>${doing}</strong>${" "}${queue ?? ""}</${State}>
        <span class="soft">${" "}for <${Ago} at=${at} /></span>
      </p>
      <p class="detail">
        ${count(done)} done, ${count(looked)}${total === null ? "" : ` of ${count(total)}`} looked at
        <progress value=${looked} max=${total ?? looked} aria-label="Progress"></progress>
      </p>
    </div>
    ${can.remove && html`<p class="buttons"><button type="button" onClick=${stop}>Stop</button></p>`}`;
}
