import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { apiPage, type Document } from "../../scripts/api-page.ts";
import { runCommand } from "../cli/command-io.ts";

test("docs/api.md is what the routes say (bun scripts/api.ts)", async () => {
  const { code, stdout, stderr } = await runCommand("openapi", []);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const page = readFileSync(join(import.meta.dirname, "../../docs/api.md"), "utf8");
  expect(page).toBe(apiPage(page, JSON.parse(stdout) as Document));
});
