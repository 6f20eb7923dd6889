import { parseCount } from "./arguments.ts";
import type { CommandIo } from "./command.ts";
import { askServer, reportRefusal, requireMember, type Server, type ServerAnswer } from "./server.ts";
import { formatTable } from "./table.ts";

/** The most that the server gives at a time. */
const largestPage = 1_000;

/** How long the reader may take for a page before the next is asked for: text that waits too long is dropped. */
const pageFlushMs = 60_000;

/** A list of the server that comes in pages: `{items: […], cursor, complete}`, or under another name than `items`. */
export interface PagedList<Item> {
  readonly path: string;
  /** The member of an answer that is the list. */
  readonly member?: string;
  /** Filters, beside `limit` and `cursor`. */
  readonly query?: Readonly<Record<string, string>>;
  readonly head: readonly string[];
  readonly rowOf: (item: Item) => readonly string[];
  /** What stderr says where there is none. */
  readonly none: string;
  /** What stderr says where the list ends and is not complete. */
  readonly partial: string;
}

interface Page {
  readonly items: readonly unknown[];
  readonly cursor: string | null;
  readonly complete: boolean;
}

/** The page in an answer; of a list that is hardly ever longer than a page the last one has neither cursor nor `complete`. */
function readPage(server: Server, answer: ServerAnswer, member: string): Page {
  const body = requireMember(server, answer, member);
  const cursor = typeof body["cursor"] === "string" ? body["cursor"] : null;
  return {
    items: body[member] as readonly unknown[],
    cursor,
    complete: body["complete"] !== false && cursor === null,
  };
}

/**
 * Prints a list, all of it or as much as --limit says, page by page as it comes: a table, or under --json one object in
 * the form of one page. The exit code.
 */
export async function printPages<Item>(
  list: PagedList<Item>,
  server: Server,
  given: {
    readonly limit: string | undefined;
    readonly cursor: string | undefined;
    readonly asJson: boolean;
  },
  io: CommandIo,
): Promise<number> {
  const { asJson } = given;
  const limit = given.limit === undefined ? Infinity : parseCount("--limit", given.limit, 1);
  const { member = "items" } = list;
  const print = asJson ? createJsonPrinter(member, io) : createTablePrinter(list as PagedList<unknown>, io);
  let cursor = given.cursor ?? null;
  let count = 0;
  do {
    const query = new URLSearchParams({ ...list.query, limit: String(Math.min(limit - count, largestPage)) });
    if (cursor !== null) query.set("cursor", cursor);
    const answer = await askServer(server, { path: `${list.path}?${query.toString()}` });
    if (answer.status !== 200) {
      if (count > 0) print.end({ cursor, complete: false });
      else if (asJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
      reportRefusal(answer, io);
      return 1;
    }
    const page = readPage(server, answer, member);
    print.page(page.items);
    await io.stdout.flush(pageFlushMs);
    count += page.items.length;
    const asked = cursor;
    ({ cursor } = page);
    // A page that leads to itself would be asked for again for ever. An empty one may lead on: a filter has seen much.
    if (cursor === null || count >= limit || cursor === asked) {
      print.end(page);
      return 0;
    }
  } while (!io.stdout.isClosed);
  return 0;
}

interface Printer {
  page(items: readonly unknown[]): void;
  /** @param last What the last page said of what comes after it. */
  end(last: Pick<Page, "cursor" | "complete">): void;
}

function createTablePrinter(list: PagedList<unknown>, io: CommandIo): Printer {
  let count = 0;
  return {
    page(items) {
      const rows = items.map(list.rowOf);
      const head = count === 0 ? [list.head] : [];
      if (rows.length > 0) io.stdout.write(formatTable([...head, ...rows]));
      count += rows.length;
    },
    end({ cursor, complete }) {
      if (count === 0) io.stderr.writeLine(list.none);
      if (cursor !== null) io.stderr.writeLine(`more: --cursor ${cursor}`);
      else if (!complete) io.stderr.writeLine(list.partial);
    },
  };
}

function createJsonPrinter(member: string, io: CommandIo): Printer {
  let before = `{${JSON.stringify(member)}:[`;
  return {
    page(items) {
      for (const item of items) {
        io.stdout.write(before + JSON.stringify(item));
        before = ",";
      }
    },
    end({ cursor, complete }) {
      const rest = `],"cursor":${JSON.stringify(cursor)},"complete":${complete && cursor === null}}`;
      io.stdout.writeLine(before === "," ? rest : before + rest);
    },
  };
}
