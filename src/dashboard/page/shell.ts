import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Actions } from "./actions.ts";
import { addressNow, to } from "./address.ts";
import { type Connection, connectionNow, hasToken, setToken, useWatched } from "./fetching.ts";
import { counted, shortCount, timeOfDay } from "./format.ts";
import { type Content, html } from "./html.ts";
import { State } from "./parts.ts";
import { schemeNow, switchScheme } from "./scheme.ts";
import type { Screen, ScreenProps } from "./screen.ts";
import { screenAt, screens } from "./screens.ts";
import { Search } from "./search.ts";
import { Login } from "./screens/login.ts";
import type { Health, Problem, Queue, Token } from "./types.ts";

/** The page: a frame around a screen, or the question for a token. */
export function Shell(): VNode {
  const connection = connectionNow();
  if (connection.access === "given") return html`<${Frame} connection=${connection} /><${Actions} />`;
  return html`<${Top} />
    <main id="main">
      ${
        connection.access === "refused"
          ? html`<${Login} refusal=${connection.refusal} />`
          : connection.lostSince === null
            ? html`<p class="soft wait">Asking …</p>`
            : html`<${Lost} connection=${connection} />`
      }
    </main>`;
}

function Top({ children }: { children?: Content }): VNode {
  return html`<header class="top">
    <a class="brand" href="#/">hookline</a>${children}<${SchemeSwitch} />
  </header>`;
}

function Frame({ connection }: { connection: Connection }): VNode {
  const address = addressNow();
  const { data: token } = useWatched<Token>("v1/token", 0);
  const { data: problems } = useWatched<readonly Problem[]>("v1/problems");
  const { data: health } = useWatched<Health>("health", 5);
  const { data: queues } = useWatched<{ queues: readonly Queue[] }>("v1/queues");
  const screen = screenAt(address);
  useTitle(screen.title(address), problems?.length ?? 0);
  const can = {
    operate: token?.scope === "operate",
    remove: token?.scope === "operate" && token.name !== null,
  };
  const dead = queues?.queues.reduce((sum, queue) => sum + (queue.dead ?? 0), 0) ?? 0;
  const isStale = connection.lostSince !== null;
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Top}>
      <${Search} key=${address.query["q"] ?? ""} given=${address.query["q"] ?? ""} />
      <div class="about">
        <${Standing} problems=${problems} connection=${connection} />
        <span class="soft minor">${health?.driver ?? ""}</span>
        ${token?.scope === "read" && html`<span class="soft">read only</span>`}
        ${hasToken() && html`<button type="button" class="plain" onClick=${() => setToken("")}>Log out</button>`}
      </div>
    </${Top}>
    <div class="body">
      <nav aria-label="Screens">
        ${screens.map(
          (one) =>
            one.name !== null &&
            html`<a
              key=${one.path}
              href=${to(one.path === "" ? [] : [one.path])}
              aria-current=${isUnder(one, screen) ? "page" : null}
              >${one.name}${one.path === "dead" && dead > 0 && html`<span class="soft">${shortCount(dead)}</span>`}</a
            >`,
        )}
      </nav>
      <main id="main" class=${isStale ? "stale" : ""} tabindex="-1">
        ${isStale && html`<${Lost} connection=${connection} />`}
        <${ScreenPlace} key=${address.path.join("/")} screen=${screen} address=${address} can=${can} />
      </main>
    </div>`;
}

/** The address stays: it says what is shown. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("main")?.focus();
}

function isUnder(one: Screen, shown: Screen): boolean {
  return one.path === (shown.under ?? shown.path);
}

/** One for each path, so that a screen begins anew with another object, and the focus goes to it. */
function ScreenPlace({ screen, address, can }: ScreenProps & { screen: Screen }): VNode {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Not at the first one: whoever opens the page begins at its top.
    if (hasMoved) {
      scrollTo(0, 0);
      place.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    }
    hasMoved = true;
  }, []);
  return html`<div ref=${place}><${screen.view} address=${address} can=${can} /></div>`;
}
let hasMoved = false;

function useTitle(title: string, problems: number): void {
  const text = `${problems > 0 ? `(${problems}) ` : ""}${title} · hookline`;
  useEffect(() => {
    document.title = text;
  }, [text]);
}

/** In three words: whether something is wrong. */
function Standing({
  problems,
  connection,
}: {
  problems: readonly Problem[] | null;
  connection: Connection;
}): VNode {
  if (connection.lostSince !== null) return html`<${State} tone="bad">no answer</${State}>`;
  if (problems === null) return html`<span class="soft">…</span>`;
  const worst = problems[0]?.severity;
  const tone = worst === "error" ? "bad" : worst === "warning" ? "warn" : worst === "note" ? "held" : "good";
  const text = problems.length === 0 ? "all well" : counted(problems.length, "problem");
  return html`<a class="standing" href="#/"><${State} tone=${tone}>${text}</${State}></a>
    <span class="soft minor" title="When the server answered last"
      >${timeOfDay(connection.answeredAt)}</span
    >`;
}

function Lost({ connection: { answeredAt, lostSince } }: { connection: Connection }): VNode {
  return html`<p class="fault" role="alert">
    hookline has not answered since ${timeOfDay(lostSince ?? 0)}. The page tries again by itself;
    ${answeredAt === 0 ? "nothing is known yet." : `the figures below are those of ${timeOfDay(answeredAt)}.`}
  </p>`;
}

function SchemeSwitch(): VNode {
  const [scheme, setScheme] = useState(schemeNow());
  const other = scheme === "dark" ? "light" : "dark";
  const press = (): void => {
    switchScheme();
    setScheme(schemeNow());
  };
  return html`<button
    type="button"
    class="plain scheme"
    onClick=${press}
    aria-label=${`Switch to ${other}`}
    title=${`Switch to ${other}`}
  >
    <svg viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6.5" />
      <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" />
    </svg>
  </button>`;
}
