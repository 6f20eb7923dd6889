import { bodyBytes } from "../jobs/body.ts";
import type { AdminDeps } from "./deps.ts";
import { deadLetterBytes, describeDeadLetter } from "./dead-view.ts";
import { createPacer } from "../pacer.ts";
import { createPageText, pageBytes, type PageRequest } from "./page.ts";
import type { Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";

/** Most bytes read from the backend at a time. */
const readBytes = 4_000_000;
/** And for one page: bodies are cut to be shown, but read whole, and nobody should wait for a page for long. */
const mostReadBytes = 32_000_000;

/**
 * One page of a queue's dead letters: `{items, cursor, complete}`, the newest first where the backend keeps an order.
 *
 * Read in parts, each no larger than what is left of the answer surely holds: the backend gives a cursor for the end
 * of a part only.
 */
export async function deadLetterPage(
  deps: Pick<AdminDeps, "driver" | "mask">,
  queue: string,
  format: "auto" | "raw",
  { limit = 50, cursor }: PageRequest,
): Promise<Reply> {
  const { driver } = deps;
  const hasCursors = driver.capabilities.listsDeadLetters;
  if (cursor !== null && !hasCursors) {
    throw new RequestError("bad_cursor", `cursor: the driver ${driver.name} gives none`);
  }
  const text = createPageText();
  const pace = createPacer();
  const room = (): number => Math.floor((pageBytes - text.bytes) / deadLetterBytes);
  let next = cursor;
  let isSample = false;
  let read = 0;
  do {
    const part = await driver.deadLetters(queue, {
      limit: Math.min(limit - text.length, hasCursors ? Math.max(room(), 1) : limit),
      cursor: next,
      maxBytes: readBytes,
    });
    for (const item of part.items) {
      read += bodyBytes(item.body);
      const shown = describeDeadLetter(deps, format, item);
      // Of a sample what does not fit is left out; a cursor would lead past it.
      if (hasCursors) text.add(shown);
      else if (!text.tryAdd(shown)) break;
      await pace();
    }
    next = part.cursor;
    isSample ||= !part.complete;
  } while (next !== null && text.length < limit && room() > 0 && read < mostReadBytes);
  return text.reply("items", { cursor: next, complete: !isSample && next === null });
}
