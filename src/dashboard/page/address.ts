/** Where the page is: `#/deliveries?state=dead`. What it shows follows from it, so that it can be sent to a colleague. */
export interface Address {
  /** The parts of the path, decoded; empty for the overview. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** The address now. */
export function addressNow(): Address {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return {
    path: path
      .split("/")
      .filter((part) => part !== "")
      .map(decode),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** A link to an address; filters that are empty are left out. */
export function to(
  path: readonly string[],
  query: Readonly<Record<string, string | null | undefined>> = {},
): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const text = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
}

/** Goes to an address; `replace` leaves no step back, for a filter that is being typed. */
export function go(href: string, replace = false): void {
  if (href === location.hash) return;
  if (!replace) {
    location.hash = href;
    return;
  }
  history.replaceState(null, "", href);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Typed by hand.
    return part;
  }
}

/** The address of an endpoint's page; a named endpoint's label has no app. */
export function toEndpoint(label: string): string {
  return to(["endpoints", ...endpointPath(label)]);
}

/** App and name in the API's paths; `-` stands in the place of the app of a named endpoint. */
export function endpointPath(label: string): readonly [app: string, name: string] {
  const at = label.lastIndexOf("/");
  return at < 0 ? ["-", label] : [label.slice(0, at), label.slice(at + 1)];
}
