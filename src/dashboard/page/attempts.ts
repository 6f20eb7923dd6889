import type { VNode } from "preact";
import { duration, withLocalTimes } from "./format.ts";
import { html } from "./html.ts";
import { At, Foreign, State, Text } from "./parts.ts";
import type { Attempt } from "./types.ts";

/** One attempt and what the receiver answered. */
export function AttemptLine({ attempt }: { attempt: Attempt }): VNode {
  const { outcome, detail, answer } = attempt;
  const tone = outcome === "delivered" ? "good" : outcome === "aborted" ? "held" : "bad";
  return html`<p>
      <${State} tone=${tone}><strong>Attempt ${attempt.attempt}</strong></${State}
      >${" "}
      <${Foreign}>${withLocalTimes(detail)}</${Foreign}>
      <span class="soft"> after ${duration(attempt.duration_ms)}, at <${At} at=${attempt.at} /></span>
    </p>
    ${
      typeof answer === "string" &&
      (answer === ""
        ? html`<p class="soft small-text">The answer had no body.</p>`
        : html`<p class="soft small-text">The receiver's answer began with:</p>
            <${Text} text=${answer} what=${`answer of attempt ${attempt.attempt}`} />`)
    }`;
}
