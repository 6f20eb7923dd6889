import { expect, test } from "bun:test";
import { problemKinds } from "../../src/problems/kinds.ts";

test("docs/operations.md lists every kind of problem with its severity", async () => {
  const page = await Bun.file(new URL("../../docs/operations.md", import.meta.url)).text();
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  for (const [kind, { severity }] of Object.entries(problemKinds)) {
    const row = rows.find((line) => line.split("|")[1]?.includes(`\`${kind}\``));
    expect(`${kind}: ${row?.split("|")[2]?.trim()}`).toBe(`${kind}: ${severity}`);
  }
});
