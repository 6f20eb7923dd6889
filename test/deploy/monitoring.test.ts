import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { problemKinds } from "../../src/problems/kinds.ts";
import { startExecutable } from "../support/executable.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";

// deploy/alerts.yml and deploy/grafana.json ask for nothing that /metrics does not have.

const deploy = resolve(import.meta.dir, "..", "..", "deploy");
const isLong = process.env["HOOKLINE_LONG"] === "1";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}
interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const alerts = parse(readFileSync(join(deploy, "alerts.yml"), "utf8")) as {
  groups: { name: string; rules: Rule[] }[];
};
const rules = alerts.groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync(join(deploy, "grafana.json"), "utf8")) as {
  panels: Panel[];
  annotations: { list: { expr: string }[] };
  templating: { list: { query: string | { query: string } }[] };
};
const queries = [
  ...rules.map(({ expr }) => expr),
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
  ...dashboard.templating.list.flatMap(({ query }) => (typeof query === "string" ? [] : [query.query])),
];

/** Series by name, with the labels that each has and the values of these. */
const series = new Map<string, Map<string, Set<string>>>();
let close: () => Promise<void>;

beforeAll(async () => {
  const redis = await startRedis();
  const server = await startExecutable({
    queue: { driver: "redis", redis: { url_override: redis.url } },
    endpoints: { a: { url: "http://127.0.0.1:9/", signing: "none", retry: { max_attempts: 1 } } },
  });
  close = async () => {
    await server[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  };
  await server.enqueue("webhooks", { type: "t", data: 1, endpoint: "a" });
  const text = await until(
    async () => {
      const { text: now } = await server.api("GET", "/metrics");
      return now.includes("hookline_queue_oldest_ready_age_seconds{") ? now : undefined;
    },
    { what: "the age of the oldest" },
  );
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line);
    if (match === null) continue;
    const labels = series.get(match[1] as string) ?? new Map<string, Set<string>>();
    series.set(match[1] as string, labels);
    for (const [, name = "", value = ""] of (match[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)) {
      labels.set(name, (labels.get(name) ?? new Set()).add(value));
    }
  }
});
afterAll(() => close());

/** What Prometheus adds to each series. */
const added = new Set(["job", "instance"]);

test("each metric, label and value in a rule or panel is in /metrics", () => {
  for (const query of queries) {
    for (const [, name = "", selector = ""] of query.matchAll(/\b(hookline_[a-z_]+)(?:\{([^}]*)\})?/g)) {
      expect([query, series.has(name)]).toEqual([query, true]);
      for (const [, label = "", operator, value = ""] of selector.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)) {
        if (added.has(label)) continue;
        const values = series.get(name)?.get(label);
        expect([query, label, values !== undefined]).toEqual([query, label, true]);
        // A value that is excluded, or one of several, must be there as well, or it is a slip of the pen.
        for (const one of operator === "=" || operator === "!=" ? [value] : value.split("|")) {
          expect([query, label, one, values?.has(one)]).toEqual([query, label, one, true]);
        }
      }
    }
    for (const [, labels = ""] of query.matchAll(/\b(?:by|without) \(([^)]*)\)/g)) {
      const names = [...query.matchAll(/hookline_[a-z_]+|\bup\b/g)].map(([name]) => name);
      for (const label of labels.split(", ").filter((one) => !added.has(one))) {
        expect([query, label, names.some((name) => series.get(name)?.has(label))]).toEqual([
          query,
          label,
          true,
        ]);
      }
    }
  }
});

test("the queries are balanced, and no two alerts have one name", () => {
  for (const query of queries) {
    for (const [left, right] of ["()", "{}", "[]"]) {
      expect([query, query.split(left as string).length]).toEqual([
        query,
        query.split(right as string).length,
      ]);
    }
  }
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const rule of rules) {
    expect(rule.for).toMatch(/^\d+[smh]$/);
    expect(["critical", "warning", "info"]).toContain(rule.labels.severity);
    expect(rule.annotations.summary).toStartWith("hookline: ");
  }
});

test("each kind of problem has an alert, as grave as it is, with its remedy", () => {
  const severities = { error: "critical", warning: "warning", note: "info" } as const;
  for (const [kind, { severity, remedy, summary }] of Object.entries(problemKinds)) {
    const own = rules.filter(({ expr }) => expr.includes(`hookline_problems{kind="${kind}"}`));
    expect([kind, own.length]).toEqual([kind, 1]);
    expect(own[0]?.labels.severity).toBe(severities[severity]);
    expect(own[0]?.annotations).toEqual({
      summary: `hookline: ${summary}`,
      description: `${remedy}. GET /v1/problems and hookline status name it.`,
    });
  }
});

test("no panel of the dashboard lies over another, and each asks for something", () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos, targets } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    if (targets !== undefined) expect(targets.length).toBeGreaterThan(0);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect([title, taken.get(`${x} ${y}`)]).toEqual([title, undefined]);
        taken.set(`${x} ${y}`, title);
      }
    }
  }
});

// promtool is Debian's package prometheus; scripts/test --long installs it.
test.skipIf(!isLong)("promtool accepts the rules", () => {
  const check = spawnSync("promtool", ["check", "rules", join(deploy, "alerts.yml")], { encoding: "utf8" });
  expect({ status: check.status, stderr: check.stderr }).toMatchObject({ status: 0 });
});
