import { parseArguments } from "./arguments.ts";
import type { CommandIo } from "./command.ts";
import { printPages } from "./paged-list.ts";
import { findServer, serverFlags } from "./server.ts";

/** One dead letter as the API lists it. */
interface Item {
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly failed_at: string | number | null;
  readonly endpoint: string | null;
}

/** `hookline dead ls QUEUE`: all dead letters of a queue, or as many as --limit says. */
export async function ls(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...serverFlags, "limit", "cursor"],
    switches: ["json"],
    positionals: ["QUEUE"],
    required: 1,
  });
  const server = await findServer(values, io);
  const { limit, cursor } = values;
  return printPages<Item>(
    {
      path: `/v1/queues/${encodeURIComponent(positionals[0]!)}/dead`,
      head: ["ID", "REASON", "ATTEMPTS", "FAILED AT", "ENDPOINT"],
      rowOf: ({ id, reason, attempts, failed_at: failedAt, endpoint }) => [
        id,
        reason,
        String(attempts),
        typeof failedAt === "number" ? new Date(failedAt).toISOString() : (failedAt ?? "-"),
        endpoint ?? "-",
      ],
      none: "no dead letters",
      partial: "this is a sample: the backend cannot list all of them",
    },
    server,
    { limit, cursor, asJson: switches.has("json") },
    io,
  );
}
