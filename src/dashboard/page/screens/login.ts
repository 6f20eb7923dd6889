import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { hasToken, setToken } from "../fetching.ts";
import { html } from "../html.ts";

/** Asks for a token, which stays in this tab until it is closed. */
export function Login({ refusal }: { refusal: string }): VNode {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event): void => {
    event.preventDefault();
    const given = field.current?.value.trim() ?? "";
    if (given !== "") setToken(given);
  };
  return html`<form class="login" onSubmit=${submit}>
    <h1>A token, please</h1>
    <p>
      One of <code>server.tokens</code> or <code>server.token</code> (the variable
      <code>HOOKLINE_TOKEN</code>) of this hookline’s configuration. With the scope <code>read</code> you see
      everything and change nothing.
    </p>
    <label for="token">Token</label>
    <div class="row">
      <input
        id="token"
        ref=${field}
        type="password"
        autocomplete="current-password"
        spellcheck="false"
        required
      />
      <button type="submit" class="first">Log in</button>
    </div>
    ${hasToken() && html`<p class="fault" role="alert">The server does not know this token.</p>`}
    <p class="soft small-text">The server says: ${refusal}.</p>
    <p class="soft small-text">
      It is kept by this tab until you close it or log out, and is sent to this server only.
    </p>
  </form>`;
}
