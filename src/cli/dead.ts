import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { deadChange, deadFilters, deadPath } from "./dead-changes.ts";
import { cell, listCommand, queryOf } from "./list-command.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";
import { withSubcommands } from "./subcommand-runner.ts";
import { formatTable } from "./table.ts";

/** One dead letter as the API lists it. */
interface Item {
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly failed_at: string | number | null;
  readonly endpoint: string | null;
}

const summaryFilters = ["app", "endpoint", "reason"] as const;

const ls = listCommand<Item>({
  positionals: ["QUEUE"],
  filters: deadFilters,
  path: ([queue = ""]) => deadPath(queue),
  head: ["ID", "REASON", "ATTEMPTS", "FAILED AT", "ENDPOINT"],
  rowOf: ({ id, reason, attempts, failed_at: failedAt, endpoint }) => [
    id,
    reason,
    cell(attempts),
    typeof failedAt === "number" ? new Date(failedAt).toISOString() : cell(failedAt),
    cell(endpoint),
  ],
  none: "no dead letters",
  partial: "this is a sample: the backend cannot list all of them",
});

/** One group of dead letters as the API counts it. */
interface Group {
  readonly endpoint: string | null;
  readonly reason: string;
  readonly count: number;
}

/** `hookline dead summary QUEUE`: how many there are by endpoint and reason. */
async function summary(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...serverFlags, ...summaryFilters, "limit"],
    switches: ["json"],
    positionals: ["QUEUE"],
    required: 1,
  });
  const server = await findServer(values, io);
  const query = new URLSearchParams(queryOf(values, [...summaryFilters, "limit"])).toString();
  const path = `${deadPath(positionals[0] ?? "")}/summary`;
  const answer = await askServer(server, { path: query === "" ? path : `${path}?${query}` });
  if (switches.has("json")) io.stdout.write(`${answer.text.trimEnd()}\n`);
  if (answer.status !== 200) {
    reportRefusal(answer, io);
    return 1;
  }
  if (switches.has("json")) return 0;
  const told = requireMember(server, answer, "groups") as unknown as {
    readonly groups: readonly Group[];
    readonly more_groups: number;
    readonly complete: boolean;
  };
  const rows = told.groups.map(({ endpoint, reason, count }) => [cell(endpoint), reason, cell(count)]);
  if (rows.length > 0) io.stdout.write(formatTable([["ENDPOINT", "REASON", "COUNT"], ...rows]));
  else io.stderr.writeLine("no dead letters");
  if (told.more_groups > 0) io.stderr.writeLine(`${told.more_groups} more: --limit N shows up to 1000`);
  if (!told.complete) io.stderr.writeLine("letters of an older version are still being counted");
  return 0;
}

/** `hookline dead ls|summary|redrive|rm`: a queue's dead letters, over the admin API. */
export const dead: RunCommand = withSubcommands("dead", {
  ls,
  summary,
  redrive: deadChange("redrive"),
  rm: deadChange("remove"),
});
