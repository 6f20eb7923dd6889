import { parseArguments } from "./arguments.ts";
import type { RunCommand } from "./command.ts";
import { printPages, type PagedList } from "./paged-list.ts";
import { findServer, serverFlags } from "./server.ts";

/** A list of the server as a command: where it is, what it is filtered by, and how a row of its table looks. */
export interface ListCommand<Item> extends Omit<PagedList<Item>, "path" | "query"> {
  /** Names of the arguments that the path needs, as QUEUE. */
  readonly positionals?: readonly string[];
  /** @param positionals The arguments, as they were given. */
  readonly path: (positionals: readonly string[]) => string;
  /** Filters of the API, as flags: `job-id` is the API's `job_id`. */
  readonly filters?: readonly string[];
}

/** The command that prints a list: all of it, page after page, or as much as --limit says. */
export function listCommand<Item>(list: ListCommand<Item>): RunCommand {
  const { positionals: names = [], filters = [] } = list;
  return async (args, io) => {
    const { values, switches, positionals } = parseArguments(args, {
      values: [...serverFlags, ...filters, "limit", "cursor"],
      switches: ["json"],
      positionals: names,
      required: names.length,
    });
    const given = values as Readonly<Record<string, string>>;
    const server = await findServer(given, io);
    return printPages<Item>(
      { ...list, path: list.path(positionals), query: queryOf(given, filters) },
      server,
      { limit: given["limit"], cursor: given["cursor"], asJson: switches.has("json") },
      io,
    );
  };
}

/** The filters that are given, under the names of the API. */
export function queryOf(
  values: Readonly<Partial<Record<string, string>>>,
  filters: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    filters.flatMap((flag) => {
      const value = values[flag];
      return value === undefined ? [] : [[flag.replaceAll("-", "_"), value] as const];
    }),
  );
}

/** What stands in a table where there is nothing to be told. */
export const nothing = "-";

/** A cell of a table: a text or number of the server, `-` where it is null or missing. */
export function cell(value: string | number | null | undefined): string {
  return value === null || value === undefined ? nothing : String(value);
}
