import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHookline } from "../src/app.ts";
import { loadDefaults } from "../src/config/load.ts";
import { apiPage } from "./api-page.ts";

// Writes the parts of docs/api.md anew that are made from the API's document; test/admin/api-page.test.ts fails where
// they are not as the routes say.
const path = join(import.meta.dirname, "../docs/api.md");
const hookline = await createHookline({ loaded: loadDefaults(), write: () => undefined });
writeFileSync(path, apiPage(readFileSync(path, "utf8"), JSON.parse(await hookline.openApi())));
await hookline.stop({ now: true });
