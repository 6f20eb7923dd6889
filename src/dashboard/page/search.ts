import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { go, to } from "./address.ts";
import { html } from "./html.ts";

/** One field for everything that somebody may have in hand: a job's id, a webhook-id, an endpoint, an event. */
export function Search({ given }: { given: string }): VNode {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return;
      event.preventDefault();
      field.current?.select();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (text !== "") go(to(["find"], { q: text }));
  };
  return html`<form class="search" role="search" onSubmit=${submit}>
    <input
      ref=${field}
      type="search"
      name="q"
      value=${given}
      placeholder="Job, webhook-id, endpoint or event"
      aria-label="Search for a job id, a webhook-id, an endpoint or an event"
      autocomplete="off"
      spellcheck="false"
      aria-keyshortcuts="/"
    /><kbd aria-hidden="true">/</kbd>
  </form>`;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select, dialog[open] *");
}
