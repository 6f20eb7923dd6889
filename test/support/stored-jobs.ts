import { realFiles } from "../../src/queue/drivers/file/files.ts";
import { itemsOf } from "../../src/queue/drivers/file/items.ts";
import { surveyStore } from "../../src/queue/drivers/file/survey.ts";

/** What a store holds that nobody has open. */
export interface StoredJobs {
  /** The bodies of its jobs; dead letters are not among them. */
  readonly bodies: readonly string[];
  /** The bodies of those whose lease the journal knows. */
  readonly leased: readonly string[];
}

/** Reads a store as its next start would, and changes nothing. */
export async function readStoredJobs(folder: string): Promise<StoredJobs> {
  const survey = await surveyStore(folder, realFiles);
  try {
    if (survey.damages.length > 0) throw new Error(JSON.stringify(survey.damages));
    const bodies: string[] = [];
    const leased: string[] = [];
    for (const [seq, { kind }] of itemsOf(survey.recovered)) {
      if (kind === "dead") continue;
      const body = String((await survey.read(seq)).body);
      bodies.push(body);
      if (survey.recovered.leased.has(seq)) leased.push(body);
    }
    return { bodies, leased };
  } finally {
    await survey.close();
  }
}
