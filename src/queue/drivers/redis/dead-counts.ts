import type { DeadCount, DeadCounts } from "../../driver.ts";
import { replyList, replyText } from "./evaluate.ts";
import type { ScriptReply } from "./evaluate.ts";

/** Reads deadCountsScript's answer; the hash is described in dead-part.ts. What cannot be read counts as not there. */
export function readDeadCounts(values: readonly ScriptReply[]): DeadCounts {
  const letters = Number(values[1]);
  if (letters === 0) return { groups: [], bytes: 0, complete: true };
  const texts = replyList(values[2]).map(replyText);
  const groups: DeadCount[] = [];
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length; at += 2) {
    const field = texts[at] as string;
    const value = texts[at + 1] as string;
    if (!field.startsWith("=")) {
      fields.set(field, value);
      continue;
    }
    const count = readCount(value);
    const [endpoint = "", reason] = field.slice(1).split("\n", 2);
    if (count > 0 && reason !== undefined) groups.push({ endpoint: endpoint || null, reason, count });
  }
  return {
    groups: groups.sort((one, other) => other.count - one.count),
    bytes: readCount(fields.get("bytes")),
    complete: fields.get("at") === "inf" && readCount(fields.get("n")) === letters,
  };
}

function readCount(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
