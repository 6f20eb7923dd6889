import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settingsPage } from "../../scripts/settings-table.ts";
import { envNames } from "../../src/config/env-names.ts";
import { configSchema } from "../../src/config/schema.ts";
import { nodeAt } from "../../src/config/schema-tree.ts";

const root = join(import.meta.dirname, "../..");

test("docs/settings.md is what the schema says (bun scripts/settings.ts)", () => {
  expect(readFileSync(join(root, "docs/settings.md"), "utf8")).toBe(settingsPage());
});

test("each name of the environment stands in it once, beside its key", () => {
  const rows = settingsPage().split("\n");
  for (const [name, { path }] of envNames) {
    const own = rows.filter((row) => row.includes(`\`${name}\``));
    expect(own).toEqual([expect.stringContaining(`| \`${path.join(".")}\` |`)]);
  }
});

test("the table of docs/configuration.md names keys that are there, with the defaults and the names they have", () => {
  const table = /\n\| key \| environment \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)/.exec(
    readFileSync(join(root, "docs/configuration.md"), "utf8"),
  );
  const rows = (table?.[1] ?? "").trimEnd().split("\n");
  expect(rows.length).toBeGreaterThan(15);
  for (const row of rows) {
    const [, key = "", names = "", defaults = ""] = row.split("|").map((cell) => cell.trim());
    const [path = "", ...others] = [...key.matchAll(/`([^`]+)`/g)].map(([, one = ""]) => one);
    const siblings = others.map((one) => `${path.split(".").slice(0, -1).join(".")}.${one}`);
    const node = nodeAt(configSchema, path.split(".")) as { default?: unknown } | undefined;
    expect({ path, isKnown: node !== undefined }).toEqual({ path, isKnown: true });
    for (const [, name = ""] of names.matchAll(/`([A-Z_]+)`/g)) {
      expect([path, ...others, ...siblings]).toContain(
        envNames.get(name)?.path.join(".") ?? generalPath(name),
      );
    }
    if (typeof node?.default === "number" || typeof node?.default === "boolean") {
      expect({ path, default: defaults.split(",")[0] }).toEqual({ path, default: String(node.default) });
    }
  }
});

const generalPath = (name: string): string =>
  name
    .replace(/^HOOKLINE_/, "")
    .toLowerCase()
    .replaceAll("__", ".");
