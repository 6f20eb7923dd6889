import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingsPage } from "./settings-table.ts";

// Writes docs/settings.md anew; test/config/settings-page.test.ts fails where it is not as the schema says.
const docs = join(import.meta.dirname, "../docs");
mkdirSync(docs, { recursive: true });
writeFileSync(join(docs, "settings.md"), settingsPage());
