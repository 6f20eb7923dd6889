/** The colour scheme: the system's, or the one that was chosen here. */
export type Scheme = "light" | "dark";

const key = "hookline scheme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** The scheme that is shown. */
export function schemeNow(): Scheme {
  const chosen = document.documentElement.dataset["scheme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark.matches ? "dark" : "light";
}

/** Takes the scheme that was chosen before. */
export function startScheme(): void {
  try {
    const chosen = localStorage.getItem(key);
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset["scheme"] = chosen;
  } catch {
    // A browser may keep nothing for a page: then it is the system's.
  }
}

/** Shows the other scheme; the choice is forgotten where it is the system's own. */
export function switchScheme(): void {
  const next: Scheme = schemeNow() === "dark" ? "light" : "dark";
  const isSystems = next === (dark.matches ? "dark" : "light");
  if (isSystems) delete document.documentElement.dataset["scheme"];
  else document.documentElement.dataset["scheme"] = next;
  try {
    if (isSystems) localStorage.removeItem(key);
    else localStorage.setItem(key, next);
  } catch {
    // As in startScheme.
  }
}
