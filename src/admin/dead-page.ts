import { bodyBytes } from "../jobs/body.ts";
import type { DeadLetterChoice } from "./dead-filter.ts";
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
/** How long a page looks for letters that fit; then it ends with what it has, and the cursor goes on. */
const mostMs = 150;
/** Letters asked for at a time where those that are meant are picked out here. */
const together = 1000;

/**
 * One page of a queue's dead letters: `{items, cursor, complete}`, the newest first where the backend keeps an order.
 *
 * Read in parts, each no larger than what is left of the answer surely holds.
 */
export async function deadLetterPage(
  deps: Pick<AdminDeps, "clock" | "driver" | "mask">,
  queue: string,
  format: "auto" | "raw",
  choice: DeadLetterChoice,
  { limit = 50, cursor }: PageRequest,
): Promise<Reply> {
  const { clock, driver } = deps;
  const hasCursors = driver.capabilities.listsDeadLetters;
  if (cursor !== null && !hasCursors) {
    throw new RequestError("bad_cursor", `cursor: the driver ${driver.name} gives none`);
  }
  const text = createPageText();
  const pace = createPacer();
  const room = (): number => Math.floor((pageBytes - text.bytes) / deadLetterBytes);
  const isFull = (): boolean => text.length >= limit || (hasCursors && room() <= 0);
  const startedAt = clock.monotonic();
  const isLate = (): boolean => clock.monotonic() - startedAt >= mostMs;
  let next = cursor;
  let isSample = false;
  let read = 0;
  do {
    const most = Math.min(limit - text.length, hasCursors ? Math.max(room(), 1) : limit);
    const part = await driver.deadLetters(queue, {
      limit: choice.isNarrower ? together : most,
      cursor: next,
      maxBytes: readBytes,
      ...(choice.filter === undefined ? {} : { filter: choice.filter }),
    });
    next = part.cursor;
    isSample ||= !part.complete;
    for (const [at, item] of part.items.entries()) {
      read += bodyBytes(item.body);
      await pace();
      if (choice.includes(item)) {
        const shown = describeDeadLetter(deps, format, item);
        // Of a sample what does not fit is left out; a cursor would lead past it.
        if (hasCursors) text.add(shown);
        else if (!text.tryAdd(shown)) break;
      }
      const mayEnd = hasCursors && choice.isNarrower && isLate();
      if (!isFull() && !mayEnd) continue;
      if (at < part.items.length - 1) next = part.cursors[at] ?? null;
      break;
    }
  } while (next !== null && !isFull() && read < mostReadBytes && !isLate());
  return text.reply("items", { cursor: next, complete: !isSample && next === null });
}
