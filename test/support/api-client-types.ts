import { readFileSync, writeFileSync } from "node:fs";
import { plugin } from "bun";

// Writes the types of a client for an OpenAPI document: bun test/support/api-client-types.ts DOCUMENT OUTPUT.
// openapi-typescript writes with TypeScript's own interface, which TypeScript 7 has no more: it gets 5 in its place.
plugin({
  name: "typescript 5",
  setup(build) {
    build.module("typescript", async () => ({
      exports: { ...(await import("typescript5")) },
      loader: "object",
    }));
  },
});
const { default: openapiTs, astToString } = await import("openapi-typescript");
const [from = "", to = ""] = process.argv.slice(2);
writeFileSync(to, astToString(await openapiTs(JSON.parse(readFileSync(from, "utf8")))));
