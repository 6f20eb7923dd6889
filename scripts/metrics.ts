import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { metricsPage } from "./metrics-page.ts";

// Writes docs/metrics.md anew; test/docs/names.test.ts fails where it is not as the code says.
writeFileSync(join(import.meta.dirname, "../docs/metrics.md"), await metricsPage());
