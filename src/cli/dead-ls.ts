import { parseArguments, parseCount } from "./arguments.ts";
import type { CommandIo } from "./command.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";
import { formatTable } from "./table.ts";

/** The most that the server gives at a time. */
const largestPage = 1_000;

/** How long the reader may take for a page before the next is asked for: text that waits too long is dropped. */
const pageFlushMs = 60_000;

/** One dead letter as the API lists it. */
interface Item {
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly failed_at: string | number | null;
  readonly endpoint: string | null;
}

interface Page {
  readonly items: readonly Item[];
  readonly cursor: string | null;
  readonly complete: boolean;
}

/**
 * `hookline dead ls QUEUE`: all dead letters of a queue, or as many as --limit says, printed page by page as they
 * come. Under --json all pages are one object, in the form of one page.
 */
export async function ls(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...serverFlags, "limit", "cursor"],
    switches: ["json"],
    positionals: ["QUEUE"],
    required: 1,
  });
  const limit = values.limit === undefined ? Infinity : parseCount("--limit", values.limit, 1);
  const server = await findServer(values, io);
  const print = switches.has("json") ? createJsonPrinter(io) : createTablePrinter(io);
  let cursor = values.cursor ?? null;
  let count = 0;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(limit - count, largestPage)) });
    if (cursor !== null) query.set("cursor", cursor);
    const path = `/v1/queues/${encodeURIComponent(positionals[0]!)}/dead?${query.toString()}`;
    const answer = await askServer(server, { path });
    if (answer.status !== 200) {
      if (count > 0) print.end({ cursor, complete: false });
      else if (switches.has("json")) io.stdout.write(`${answer.text.trimEnd()}\n`);
      reportRefusal(answer, io);
      return 1;
    }
    const page = requireMember(server, answer, "items") as unknown as Page;
    print.page(page.items);
    await io.stdout.flush(pageFlushMs);
    count += page.items.length;
    ({ cursor } = page);
    // An empty page that leads on would be asked for again for ever.
    if (cursor === null || count >= limit || page.items.length === 0) {
      print.end(page);
      return 0;
    }
  } while (!io.stdout.isClosed);
  return 0;
}

interface Printer {
  page(items: readonly Item[]): void;
  /** @param last What the last page said of what comes after it. */
  end(last: Pick<Page, "cursor" | "complete">): void;
}

function createTablePrinter(io: CommandIo): Printer {
  let count = 0;
  return {
    page(items) {
      const rows = items.map(({ id, reason, attempts, failed_at: failedAt, endpoint }) => [
        id,
        reason,
        String(attempts),
        typeof failedAt === "number" ? new Date(failedAt).toISOString() : (failedAt ?? "-"),
        endpoint ?? "-",
      ]);
      const head = count === 0 ? [["ID", "REASON", "ATTEMPTS", "FAILED AT", "ENDPOINT"]] : [];
      if (rows.length > 0) io.stdout.write(formatTable([...head, ...rows]));
      count += rows.length;
    },
    end({ cursor, complete }) {
      if (count === 0) io.stderr.writeLine("no dead letters");
      if (cursor !== null) io.stderr.writeLine(`more: --cursor ${cursor}`);
      else if (!complete) io.stderr.writeLine("this is a sample: the backend cannot list all of them");
    },
  };
}

function createJsonPrinter(io: CommandIo): Printer {
  let before = '{"items":[';
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
