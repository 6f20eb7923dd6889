import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metricsPage } from "../../scripts/metrics-page.ts";
import { configSchema } from "../../src/config/schema.ts";
import { nodeAt } from "../../src/config/schema-tree.ts";
import { createMetrics } from "../../src/metrics.ts";
import { problemKinds } from "../../src/problems/kinds.ts";
import { readPages, root, type Page } from "./pages.ts";

const pages = readPages();
const pageNamed = (name: string): Page => {
  const page = pages.find((one) => one.name === name);
  if (page === undefined) throw new Error(`there is no docs/${name}.md`);
  return page;
};
/** Pages as texts, each with its path, for what is looked for in all of them. */
const prose = pages.filter(({ name }) => name !== "settings");

/** Texts of the source, of what the executable runs. */
const sources = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })].map((path) =>
  readFileSync(join(root, path), "utf8"),
);

/** The part of a page under a heading, up to the next one of its level. */
function sectionOf({ path, text }: Page, heading: string): string {
  const part = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  if (part === undefined) throw new Error(`${path} has no section "${heading}"`);
  return part;
}

/** The first cells of the rows of the tables in a text, without their backticks. */
const firstCells = (text: string): string[] =>
  [...text.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1] ?? "");

/** Fails with a sentence that says which page lacks what. */
function requireSame(page: string, documented: Iterable<string>, real: Iterable<string>): void {
  const [named, there] = [new Set(documented), new Set(real)];
  const faults = [
    ...[...there].filter((one) => !named.has(one)).map((one) => `${page} does not name ${one}`),
    ...[...named]
      .filter((one) => !there.has(one))
      .map((one) => `${page} names ${one}, which the code has not`),
  ];
  expect(faults).toEqual([]);
}

test("docs/metrics.md is what the code says (bun scripts/metrics.ts)", async () => {
  expect(pageNamed("metrics").text).toBe(await metricsPage());
});

test("each metric that a page names is there", async () => {
  const help = await createMetrics().registry.render();
  const real = new Set([...help.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]));
  const unknown = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\bhookline_[a-z_]+[a-z]\b(?!\.deb|…)/g)]
      .filter(([name]) => name !== "hookline_test" && !real.has(name.replace(/_(bucket|sum|count)$/, "")))
      .map(([name]) => `${path} names the metric ${name}`),
  );
  expect(unknown).toEqual([]);
});

test("docs/operations.md says for each kind of problem what to do", () => {
  const page = pageNamed("operations");
  requireSame(page.path, firstCells(sectionOf(page, "Problems")), Object.keys(problemKinds));
});

test("docs/operations.md says for each reason of a dead letter what to do", () => {
  const page = pageNamed("operations");
  const patterns = [/\bdead\((?:\w+, )?"([a-z_]+)"/g, /\breason: "([a-z_]+)"(?!,? as)/g];
  // What checks a signature has reasons of its own, and the API's example names one. A summary of many has "others".
  const text = sources.filter((one) => !one.includes("no_matching_signature")).join("\n");
  const listed = /const deadReasons = \[([^\]]+)\]/.exec(text)?.[1] ?? "";
  const real = [
    ...patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? "")),
    ...[...listed.matchAll(/"([a-z_]+)"/g)].map((match) => match[1] ?? ""),
    "http_404",
  ].filter((reason) => reason !== "others");
  expect(real.length).toBeGreaterThan(15);
  requireSame(page.path, firstCells(sectionOf(page, "Dead letters")), real);
});

test("docs/messages.md has each warning and error of the log, with its level", () => {
  const page = pageNamed("messages");
  const calls = /\blog\??\.(warn|error)\(\s*(?:"([^"]+)"|`([^`]+)`)/g;
  const real = sources.flatMap((text) => [
    ...[...text.matchAll(calls)].map(
      ([, level, plain, template]) => `${level} ${plain ?? template?.replaceAll(/\$\{[^}]*\}/g, "…")}`,
    ),
    ...[...text.matchAll(/[?:] "(server\.token is not set[^"]+)"/g)].map((match) => `warn ${match[1]}`),
    ...[...text.matchAll(/\b(?:begin: |report\(\s*)"([^"]+)"/g)].map((match) => `warn ${match[1]}`),
  ]);
  const rows = [...page.text.matchAll(/^\| `([^`]+)` \| (\w+) \|/gm)];
  requireSame(
    page.path,
    rows.map(([, message, level]) => `${level} ${message}`),
    real,
  );
});

test("each key of the configuration that a page names is there", () => {
  const unknown = prose.flatMap(({ path, text }) =>
    [
      ...text.matchAll(
        /`((?:server|queue|webhooks|database|supervisor|log|egress|history|metrics|reload)\.[a-z_.]+)\b/g,
      ),
    ]
      .map((match) => match[1] ?? "")
      // An operator event, which is no key.
      .filter((key) => key !== "queue.lagging")
      .filter((key) => nodeAt(configSchema, key.replace(/\.$/, "").split(".")) === undefined)
      .map((key) => `${path} names the key ${key}`),
  );
  expect(unknown).toEqual([]);
});

test("each route that a page names is one of the API", () => {
  const real = sectionOf(pageNamed("api"), "Routes");
  const patterns = [...real.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`]*)`/g)].map(
    ([, method = "", path = ""]) => ({
      method,
      path: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    }),
  );
  expect(patterns.length).toBeGreaterThan(30);
  const unknown = pages
    .filter(({ name }) => name !== "api")
    .flatMap(({ path, text }) =>
      [...text.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`?… ]*)/g)]
        .filter(
          ([, method, route = ""]) => !patterns.some((one) => one.method === method && one.path.test(route)),
        )
        .map(([, method, route]) => `${path} names the route ${method} ${route}`),
    );
  expect(unknown).toEqual([]);
});
