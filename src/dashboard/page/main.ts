import { render } from "preact";
import { startActions } from "./actions.ts";
import { startFetching } from "./fetching.ts";
import { html } from "./html.ts";
import { startScheme } from "./scheme.ts";
import { Shell } from "./shell.ts";

const root = document.querySelector("#page");
if (root === null) throw new Error("the page has no place for its content");
root.replaceChildren();

let isDue = false;
/** Everything is drawn together, once for all that changed in one go. */
const draw = (): void => {
  if (isDue) return;
  isDue = true;
  queueMicrotask(() => {
    isDue = false;
    render(html`<${Shell} />`, root);
  });
};

startScheme();
startActions(draw);
addEventListener("hashchange", draw);
render(html`<${Shell} />`, root);
startFetching(draw);
