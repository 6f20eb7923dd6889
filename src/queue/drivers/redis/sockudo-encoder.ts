import { encodeSockudo } from "../../../jobs/sockudo-write.ts";
import type { WrittenApp } from "../../backend.ts";
import type { NewJob } from "../../driver.ts";

interface App {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** Writes a job in Sockudo's full form, or answers null where none of these apps is the job's. */
export function sockudoEncoder(apps: readonly App[]): (job: NewJob) => string | null {
  const findApp = (id: string | null, key: string | null) =>
    apps.find((app) => app.id === id) ?? apps.find((app) => app.key === key) ?? null;
  return (job) => encodeSockudo(job.body, job.id, findApp);
}

/** As sockudoEncoder, by the apps in force at each job. What an app does not accept must not be written for it. */
export function liveSockudoEncoder(
  find: (id: string | null, key: string | null) => WrittenApp | null,
): (job: NewJob) => string | null {
  const findApp = (id: string | null, key: string | null): WrittenApp | null => {
    const app = find(id, key);
    return app !== null && app.accept.has("sockudo") ? app : null;
  };
  return (job) => encodeSockudo(job.body, job.id, findApp);
}
