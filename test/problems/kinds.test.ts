import { expect, test } from "bun:test";
import { problemKinds } from "../../src/problems/kinds.ts";

test("README lists every kind of problem with its severity", async () => {
  const readme = await Bun.file(new URL("../../README.md", import.meta.url)).text();
  const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
  for (const [kind, { severity }] of Object.entries(problemKinds)) {
    const row = rows.find((line) => line.split("|")[1]?.includes(`\`${kind}\``));
    expect(`${kind}: ${row?.split("|")[2]?.trim()}`).toBe(`${kind}: ${severity}`);
  }
});
