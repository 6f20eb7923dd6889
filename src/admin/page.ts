import { Buffer } from "node:buffer";
import { createPacer } from "../pacer.ts";
import { textReply, type Reply } from "./reply.ts";
import { RequestError } from "./request-error.ts";

/** Where a page begins and how long it is; what the query parameters `limit` and `cursor` say. */
export interface PageRequest {
  readonly limit?: number | undefined;
  /** Null for the first page. */
  readonly cursor: string | null;
}

/** Entries described at a time: what asks the backend for each asks for so many at once. */
const together = 16;

/** Entries before the page that are passed over without a look at the time. */
const passedAtATime = 256;

/** Most bytes of a list in one answer (contract §6). */
export const pageBytes = 4_000_000;

/** The entries of a page as they are written, counted. */
export interface PageText {
  readonly length: number;
  readonly bytes: number;
  /** Adds an entry, whatever its size. */
  add(entry: unknown): void;
  /** Adds an entry if it fits, as the first one always does; whether it did. */
  tryAdd(entry: unknown): boolean;
  /** `{"NAME":[…],…}` with these further members. */
  reply(name: string, members: Readonly<Record<string, unknown>>): Reply;
}

/** An empty page of at most `pageBytes`. */
export function createPageText(): PageText {
  const texts: string[] = [];
  let bytes = 0;
  const append = (entry: unknown, mostBytes: number): boolean => {
    const text = JSON.stringify(entry);
    const size = Buffer.byteLength(text) + 1;
    if (texts.length > 0 && bytes + size > mostBytes) return false;
    texts.push(text);
    bytes += size;
    return true;
  };
  return {
    get length() {
      return texts.length;
    },
    get bytes() {
      return bytes;
    },
    add: (entry) => void append(entry, Infinity),
    tryAdd: (entry) => append(entry, pageBytes),
    reply(name, members) {
      // Each entry is written once: a page is too large to be written a second time for its length.
      const rest = JSON.stringify(members).slice(1);
      const text = `{${JSON.stringify(name)}:[${texts.join(",")}]${rest === "}" ? "" : ","}${rest}`;
      return textReply("application/json", text);
    },
  };
}

/** A list that is at hand as a whole, or made entry by entry. */
export interface WholeList<Entry> {
  /** The member of the answer that it becomes. */
  readonly name: string;
  readonly entries: Iterable<Entry>;
  /** Names an entry; unique in the list. */
  readonly keyOf: (entry: Entry) => string;
  /** The entry as the API shows it, masked, or a promise of it. */
  readonly describe: (entry: Entry) => unknown;
}

/**
 * One page of a list: `{NAME: […], cursor, complete}`, with further members.
 *
 * The cursor names the last entry shown, so that pages neither repeat nor lose one when others come and go.
 *
 * @throws RequestError `bad_cursor` for a cursor whose entry is not in the list.
 */
export async function pageReply<Entry>(
  list: WholeList<Entry>,
  request: PageRequest,
  members: Readonly<Record<string, unknown>> = {},
): Promise<Reply> {
  const { text, next } = await fillPage(list, request);
  return text.reply(list.name, { cursor: next, complete: next === null, ...members });
}

/** As pageReply, of a list that is hardly ever too long for one page: `{NAME: […]}`, with a cursor if it is. */
export async function shortListReply<Entry>(list: WholeList<Entry>, request: PageRequest): Promise<Reply> {
  const { text, next } = await fillPage(list, request);
  return text.reply(list.name, next === null ? {} : { cursor: next, complete: false });
}

async function fillPage<Entry>(
  { entries, keyOf, describe }: WholeList<Entry>,
  { limit = Infinity, cursor }: PageRequest,
): Promise<{ text: PageText; next: string | null }> {
  const text = createPageText();
  const pace = createPacer();
  const after = cursor === null ? null : readCursor(cursor);
  let isBefore = after !== null;
  /** Not described yet. */
  let gathered: Entry[] = [];
  let last = "";
  /** Whether all that was gathered is on the page. */
  const describeGathered = async (): Promise<boolean> => {
    const some = gathered;
    gathered = [];
    const shown = await Promise.all(some.map(describe));
    for (const [at, entry] of some.entries()) {
      if (!text.tryAdd(shown[at])) return false;
      last = keyOf(entry);
    }
    await pace();
    return true;
  };
  let passed = 0;
  for (const entry of entries) {
    if (isBefore) {
      isBefore = keyOf(entry) !== after;
      passed += 1;
      if (passed % passedAtATime === 0) await pace();
      continue;
    }
    if (text.length + gathered.length === limit || gathered.length === together) {
      if (!(await describeGathered()) || text.length === limit) return { text, next: writeCursor(last) };
    }
    gathered.push(entry);
  }
  if (isBefore) throw badCursor();
  return { text, next: (await describeGathered()) ? null : writeCursor(last) };
}

/** The key that a cursor stands for. */
function readCursor(cursor: string): string {
  const key = Buffer.from(cursor, "base64url").toString("utf8");
  if (writeCursor(key) !== cursor) throw badCursor();
  return key;
}

function badCursor(): RequestError {
  return new RequestError(
    "bad_cursor",
    "cursor: no page of this list gave it, or the entry it stands for is gone; begin again without it",
  );
}

function writeCursor(key: string): string {
  return Buffer.from(key, "utf8").toString("base64url");
}
