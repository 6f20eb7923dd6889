import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./fetching.ts";
import { type Content, html } from "./html.ts";
import { Fault } from "./parts.ts";

/** What was done, and how it is undone. */
export interface Done {
  readonly text: string;
  readonly undo?: () => Promise<Done>;
}

/** A question before something is done. */
export interface Question {
  readonly title: string;
  /** What will happen, and to how many. */
  readonly text: Content;
  /** The word on the button. */
  readonly verb: string;
  /** It cannot be undone, or ends something. */
  readonly isGrave?: boolean;
  /** Choices below the text; what the person chose is given to `run`. */
  readonly fields?: readonly Field[];
  readonly run: (values: Readonly<Record<string, string>>) => Promise<Done>;
}

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly kind: "check" | "number" | "text";
}

let question: Question | null = null;
let told: (Done & { readonly isFault?: boolean }) | null = null;
let changed: () => void = () => undefined;

/** Asks before it does; the answer is told at the foot of the page. */
export function ask(next: Question): void {
  question = next;
  changed();
}

/** Says what was done. */
export function tell(done: Done): void {
  told = done;
  changed();
}

export function startActions(onChange: () => void): void {
  changed = onChange;
}

/** The dialog of the question that is open, and what was told last. */
export function Actions(): VNode {
  return html`${question !== null && html`<${Dialog} key=${question.title} question=${question} />`}<${Told} />`;
}

function Dialog({ question: asked }: { question: Question }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<ApiError | null>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      // The button that was pressed may be gone with its row.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const close = (): void => {
    question = null;
    changed();
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const values = Object.fromEntries(
      [...data].map(([name, value]) => [name, typeof value === "string" ? value : ""]),
    );
    setBusy(true);
    setFault(null);
    try {
      const done = await asked.run(values);
      close();
      tell(done);
    } catch (error) {
      setBusy(false);
      setFault(error instanceof ApiError ? error : new ApiError(0, "bug", String(error)));
    }
  };
  return html`<dialog
    ref=${dialog}
    aria-labelledby="question"
    onClose=${close}
    onCancel=${(event: Event) => busy && event.preventDefault()}
  >
    <form onSubmit=${submit}>
      <h2 id="question">${asked.title}</h2>
      <div class="asked">${asked.text}</div>
      ${asked.fields?.map((field) => html`<${Choice} key=${field.name} field=${field} />`)}
      ${fault !== null && html`<${Fault} error=${fault} />`}
      <p class="buttons">
        <button type="submit" class=${asked.isGrave === true ? "grave" : "first"} disabled=${busy}>
          ${busy ? "Working …" : asked.verb}
        </button>
        <button type="button" disabled=${busy} onClick=${close}>Cancel</button>
      </p>
    </form>
  </dialog>`;
}

function Choice({ field: { name, label, hint, kind } }: { field: Field }): VNode {
  const input =
    kind === "check"
      ? html`<input type="checkbox" name=${name} value="yes" />`
      : html`<input type=${kind} name=${name} min="1" step="any" />`;
  return html`<label class="choice ${kind}"
    >${input}<span>${label}${hint !== undefined && html`<small class="soft">${hint}</small>`}</span></label
  >`;
}

/** What was done last; stays until it is put away, so that nobody has to hurry to undo. */
function Told(): VNode {
  const shown = told;
  const undo = async (): Promise<void> => {
    try {
      if (shown?.undo !== undefined) tell(await shown.undo());
    } catch (error) {
      tell({ text: error instanceof Error ? error.message : String(error) });
    }
  };
  const put = (): void => {
    told = null;
    changed();
  };
  return html`<div class="told" role="status">
    ${
      shown !== null &&
      html`<div>
        <span>${shown.text}</span>
        ${shown.undo !== undefined && html`<button type="button" onClick=${undo}>Undo</button>`}
        <button type="button" onClick=${put}>Close</button>
      </div>`
    }
  </div>`;
}
