import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ApiError, Reading } from "./fetching.ts";
import { bytes, exactTime, age, timeOfDay, visible } from "./format.ts";
import { type Content, html } from "./html.ts";

/** What a state means: the colour and the shape of its mark. */
export type Tone = "good" | "bad" | "warn" | "held" | "plain";

/** A state: a mark, and always the word beside it. */
export function State({ tone, children }: { tone: Tone; children: Content }): VNode {
  return html`<span class="state ${tone}"><i class="mark" aria-hidden="true"></i>${children}</span>`;
}

/** How long ago, with the exact time on hover and for screen readers. */
export function Ago({ at }: { at: string | null }): VNode {
  if (at === null) return html`<span class="soft">–</span>`;
  const exact = exactTime(Date.parse(at));
  return html`<time datetime=${at} title=${exact}
    >${age(at)}<span class="unseen"> ago, ${exact}</span></time
  >`;
}

/** A time of day, with the exact time on hover. */
export function At({ at }: { at: string | null }): VNode {
  if (at === null) return html`<span class="soft">–</span>`;
  const time = Date.parse(at);
  return html`<time datetime=${at} title=${exactTime(time)}>${timeOfDay(time)}</time>`;
}

/** An id: in monospace, cut in the middle of the page by its style and never by a script. */
export function Id({ children, href }: { children: string; href?: string }): VNode {
  const text = visible(children);
  return href === undefined
    ? html`<code class="id" title=${text}>${text}</code>`
    : html`<a class="id" title=${text} href=${href}>${text}</a>`;
}

/** Text of somebody else's making. */
export function Foreign({ children }: { children: string }): VNode {
  return html`<bdi>${visible(children)}</bdi>`;
}

/** Copies a text. Works over plain HTTP too, where the clipboard's own interface is missing. */
export function Copy({ text, what }: { text: string; what: string }): VNode {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    setDone(await copyText(text));
    setTimeout(() => setDone(false), 2_000);
  };
  return html`<button type="button" class="small" onClick=${copy} aria-label=${`Copy ${what}`}>
    ${done ? "Copied" : "Copy"}
  </button>`;
}

async function copyText(text: string): Promise<boolean> {
  if (isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Refused by the browser: the older way may still work.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  const focused = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}

/** Most characters that are laid out at once: a line of a megabyte takes a browser seconds. */
const shownAtFirst = 8_000;

/** A body or an answer, exactly as it is but for what is invisible. */
export function Text({ text, what, size }: { text: string; what: string; size?: number }): VNode {
  const [all, setAll] = useState(false);
  const isCut = !all && text.length > shownAtFirst;
  const shown = isCut ? text.slice(0, shownAtFirst) : text;
  return html`<div class="text">
    <pre tabindex="0" aria-label=${what}><bdi>${visible(shown)}</bdi></pre>
    <p class="soft small-text">
      ${size === undefined || size <= text.length ? "" : `The first ${bytes(text.length)} of ${bytes(size)}. `}
      ${
        isCut &&
        html`<button type="button" class="small" onClick=${() => setAll(true)}>
          Show all ${bytes(text.length)}
        </button>`
      }
      ${" "}<${Copy} text=${text} what=${what} />
    </p>
  </div>`;
}

/** The body as the API gives it: text, or base64 where it is none. */
export function Body({
  body,
}: {
  body: { readonly body?: string; readonly body_base64?: string; readonly body_bytes?: number };
}): VNode {
  const text = body.body ?? body.body_base64 ?? "";
  const size = body.body_bytes === undefined ? {} : { size: body.body_bytes };
  return html`${body.body === undefined && html`<p class="soft small-text">In base64: these bytes are no text.</p>`}
    <${Text} text=${text} what="body" ...${size} />`;
}

/** Stands where nothing is: what would be here, and how it gets there. */
export function Empty({ title, children }: { title: string; children?: Content }): VNode {
  return html`<div class="empty">
    <p><strong>${title}</strong></p>
    ${children}
  </div>`;
}

/** A line of a shell to be copied. */
export function Shell({ children }: { children: string }): VNode {
  return html`<div class="shell"><code>${children}</code><${Copy} text=${children} what="command" /></div>`;
}

/** Shows a reading: nothing before the first answer, why there is none, or what is made of it. */
export function Shown<T>({
  reading,
  children,
}: {
  reading: Reading<T>;
  children: (data: T) => Content;
}): VNode {
  const { data, error } = reading;
  if (data === null)
    return html`${error === null ? html`<p class="soft wait">Asking …</p>` : html`<${Fault} error=${error} />`}`;
  return html`${error !== null && error.status !== 0 && error.status < 500 && html`<${Fault} error=${error} />`}
  ${children(data)}`;
}

/** Why something is not shown or was not done. */
export function Fault({ error }: { error: ApiError }): VNode {
  const text = error.status === 403 ? `This token may not see it: ${error.message}` : error.message;
  return html`<p class="fault" role="alert"><${Foreign}>${text}</${Foreign}></p>`;
}

/** Names and values. */
export function Facts({
  facts,
}: {
  facts: readonly (readonly [name: string, value: Content] | null)[];
}): VNode {
  return html`<dl class="facts">
    ${facts.map(
      (fact) =>
        fact !== null &&
        html`<div>
          <dt>${fact[0]}</dt>
          <dd>${fact[1]}</dd>
        </div>`,
    )}
  </dl>`;
}
