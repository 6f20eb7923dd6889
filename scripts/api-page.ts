/** What of an operation the page shows. */
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly example?: string;
}

interface Response {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly example?: unknown; readonly schema: Schema }>>;
}

interface Schema {
  readonly allOf?: readonly {
    readonly properties?: { readonly code: { readonly enum: readonly string[] } };
  }[];
}

/** /openapi.json. */
export interface Document {
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Place {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** Errors that many routes share and that are explained once. */
const sharedErrors = new Set([
  "bad_query",
  "foreign_origin",
  "unauthorized",
  "forbidden",
  "token_not_configured",
  "bad_cursor",
  "empty_body",
  "invalid_utf8",
  "invalid_json",
  "invalid_body",
  "body_incomplete",
  "body_timeout",
  "body_too_large",
  "unsupported_media_type",
]);

/** docs/api.md with its two made parts, the table of routes and each route, made anew from the API's document. */
export function apiPage(page: string, document: Document): string {
  const places = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const groups = document.tags.map(({ name, description }) => ({
    title: description,
    places: places.filter(({ operation }) => operation.tags[0] === name),
  }));
  const table = groups.flatMap((group) => group.places.map(rowOf));
  const each = groups.flatMap((group) => [`### ${group.title}`, ...group.places.map(sectionOf)]);
  return [
    ["routes", ["| route | what it does | scope |\n|---|---|---|", ...table].join("\n")],
    ["each", each.join("\n\n")],
  ].reduce((text, [name = "", part = ""]) => replacePart(text, name, part), page);
}

/** Replaces what stands between the two comments of a part. */
function replacePart(page: string, name: string, part: string): string {
  const [begin, end] = [`<!-- ${name}: made by bun scripts/api.ts -->\n`, `\n<!-- /${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to === -1)
    throw new Error(`docs/api.md: the comments around the part ${name} are missing`);
  return `${page.slice(0, from + begin.length)}\n${part}\n${page.slice(to)}`;
}

function rowOf({ method, path, operation }: Place): string {
  return `| \`${method} ${path}\` | [${operation.summary}](#${operation.operationId.toLowerCase()}) | ${scopeOf(operation)} |`;
}

/** The last sentence of a description says what token is needed. */
function scopeOf({ description }: Operation): string {
  const scope = /Scope `(\w+)`/.exec(description)?.[1];
  return scope ?? (description.endsWith("Any token.") ? "any" : "–");
}

function sectionOf(place: Place): string {
  const { method, path, operation } = place;
  const { operationId, summary, description, parameters = [] } = operation;
  const options = parameters.filter((one) => one.in !== "path" || !isUsual(one));
  return [
    `#### ${operationId}`,
    `\`${method} ${path}\`: ${summary.charAt(0).toLowerCase()}${summary.slice(1)}. ${description}`,
    ...(options.length === 0 ? [] : [options.map(parameterLine).join("\n")]),
    `\`\`\`sh\n${curlOf(place)}\n\`\`\``,
    ...answersOf(operation),
    ...errorsOf(operation),
  ].join("\n\n");
}

/** Parameters that every route with them explains in the same words. */
function isUsual({ name }: Parameter): boolean {
  return ["queue", "app", "name"].includes(name);
}

function parameterLine({ name, in: place, description }: Parameter): string {
  return `- \`${name}\`${place === "header" ? " (header)" : ""}: ${description}`;
}

function curlOf({ method, path, operation }: Place): string {
  const { parameters = [], requestBody, security } = operation;
  const examples = (place: Parameter["in"]): [name: string, value: string][] =>
    parameters.flatMap((one) =>
      one.in === place && one.example !== undefined ? [[one.name, one.example] as [string, string]] : [],
    );
  const inPath = new Map(examples("path"));
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(inPath.get(name) ?? name),
  );
  const query = new URLSearchParams(examples("query")).toString();
  const body = Object.values(requestBody?.content ?? {})[0]?.example;
  const url = `"$HOOKLINE_URL${filled}${query === "" ? "" : `?${query}`}"`;
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}${url}`,
    ...(security === undefined ? ['-H "authorization: Bearer $HOOKLINE_TOKEN"'] : []),
    ...examples("header").map(([name, value]) => `-H '${name}: ${value}'`),
    ...(body === undefined ? [] : [`-H 'content-type: application/json' -d '${JSON.stringify(body)}'`]),
  ].join(" \\\n  ");
}

function answersOf({ responses }: Operation): string[] {
  const good = Object.entries(responses).filter(
    ([, { content = {} }]) => content["application/problem+json"] === undefined,
  );
  return good.flatMap(([status, { description, content = {} }]) => {
    if (description === undefined) return [];
    const [example] = Object.values(content).map((media) => media.example);
    const shown = typeof example === "string" ? example.trimEnd() : jsonText(example);
    const text = `${status}: ${description}`;
    if (example === undefined) return [text];
    return [text, `\`\`\`${typeof example === "string" ? "" : "json"}\n${shown}\n\`\`\``];
  });
}

/** On one line where that is short. */
function jsonText(value: unknown): string {
  const line = JSON.stringify(value);
  return line === undefined || line.length <= 140 ? line : JSON.stringify(value, null, 2);
}

function errorsOf({ responses }: Operation): string[] {
  const own = Object.entries(responses).flatMap(([status, { content = {} }]) => {
    const codes = content["application/problem+json"]?.schema.allOf?.[1]?.properties?.code.enum ?? [];
    return codes.filter((code) => !sharedErrors.has(code)).map((code) => `${status} \`${code}\``);
  });
  return own.length === 0 ? [] : [`Errors: ${own.join(", ")}.`];
}
