import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { printPages } from "./paged-list.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";

const subcommands: Readonly<Record<string, RunCommand>> = { ls, show, resend };

/** The filters of the API, as flags. */
const filterFlags = [
  "queue",
  "app",
  "endpoint",
  "event",
  "outcome",
  "status",
  "state",
  "reason",
  "job-id",
  "since",
  "until",
] as const;
type FilterFlag = (typeof filterFlags)[number];

/** `hookline deliveries ls|show|resend`: what a server delivered lately, over the admin API. */
export const deliveries: RunCommand = (args, io) => {
  const [word, ...rest] = args;
  if (word === undefined)
    throw new UsageError("deliveries: a subcommand is missing, one of ls, show, resend");
  const names = Object.keys(subcommands);
  const run = names.includes(word) ? subcommands[word] : undefined;
  if (run === undefined)
    throw new UsageError(`deliveries: no subcommand "${word}"${didYouMean(word, names)}`);
  return run(rest, io);
};

/** One delivery as the API lists it. */
interface Item {
  readonly id: string;
  readonly state: string;
  readonly endpoint: string;
  readonly job_id: string;
  readonly started_at: string | null;
  readonly attempts: readonly { readonly detail: string }[];
}

async function ls(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches } = parseArguments(args, {
    values: [...serverFlags, ...filterFlags, "limit", "cursor"],
    switches: ["json"],
  });
  const server = await findServer(values, io);
  return printPages<Item>(
    {
      path: "/v1/deliveries",
      query: filterOf(values),
      head: ["ID", "STARTED AT", "STATE", "ATTEMPTS", "ENDPOINT", "JOB", "LAST ATTEMPT"],
      rowOf: ({ id, state, endpoint, job_id: jobId, started_at: startedAt, attempts }) => [
        id,
        startedAt ?? "-",
        state,
        String(attempts.length),
        endpoint,
        jobId,
        attempts.at(-1)?.detail ?? "-",
      ],
      none: "no deliveries",
      partial: "the server has more",
    },
    server,
    { limit: values.limit, cursor: values.cursor, asJson: switches.has("json") },
    io,
  );
}

/** Always JSON: a body has no place in a table. */
async function show(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: serverFlags,
    switches: ["json"],
    positionals: ["ID"],
    required: 1,
  });
  const server = await findServer(values, io);
  const answer = await askServer(server, { path: `/v1/deliveries/${encodeURIComponent(positionals[0]!)}` });
  if (answer.status !== 200) {
    reportRefusal(answer, io, positionals[0]);
    return 1;
  }
  requireMember(server, answer, "attempts");
  io.stdout.write(`${JSON.stringify(answer.body, null, switches.has("json") ? 0 : 2)}\n`);
  return 0;
}

/** What the server says of many deliveries: how many fit, how many go again, and why others do not. */
interface BulkAnswer {
  readonly dry_run: boolean;
  readonly matched: number;
  readonly resendable?: number;
  readonly resent?: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly failed?: Readonly<Record<string, number>>;
}

async function resend(args: readonly string[], io: CommandIo): Promise<number> {
  const {
    values,
    switches,
    positionals: ids,
  } = parseArguments(args, {
    values: [...serverFlags, ...filterFlags, "per-second"],
    switches: ["json", "all", "new-id", "dry-run"],
    positionals: ["ID..."],
  });
  const filter = filterOf(values);
  const ways = [ids.length > 0, Object.keys(filter).length > 0, switches.has("all")].filter(Boolean).length;
  if (ways !== 1) throw new UsageError("deliveries resend: give ids, or filters as --endpoint, or --all");
  const isNew = switches.has("new-id");
  const perSecond = values["per-second"];
  if (ids.length > 0 && (switches.has("dry-run") || perSecond !== undefined)) {
    throw new UsageError("deliveries resend: --dry-run and --per-second go with filters, not with ids");
  }
  if (perSecond !== undefined && !(Number(perSecond) > 0)) {
    throw new UsageError(`--per-second: expected a number above 0, got "${perSecond}"`);
  }
  const server = await findServer(values, io);
  const post = (path: string, body: object) =>
    askServer(server, { method: "POST", path, body: JSON.stringify(body) });
  const asJson = switches.has("json");
  if (ids.length === 0) {
    const answer = await post("/v1/deliveries/resend", {
      ...(switches.has("all") ? { all: true } : { filter }),
      new_id: isNew,
      dry_run: switches.has("dry-run"),
      ...(perSecond === undefined ? {} : { per_second: Number(perSecond) }),
    });
    if (asJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
    if (answer.status !== 200 && answer.status !== 202) {
      reportRefusal(answer, io);
      return 1;
    }
    const told = requireMember(server, answer, "matched") as unknown as BulkAnswer;
    const failed = Object.entries(told.failed ?? {});
    if (!asJson) {
      const done = told.dry_run ? `${told.resendable ?? 0} can be resent` : `${told.resent ?? 0} resent`;
      io.stdout.writeLine(`${done} of ${told.matched}`);
      for (const [why, count] of Object.entries(told.skipped))
        io.stdout.writeLine(`left out, ${why}: ${count}`);
    }
    for (const [code, count] of failed) io.reportError(`${count} failed: ${code}`, { code });
    return failed.length === 0 ? 0 : 1;
  }
  let code = 0;
  for (const id of ids) {
    const answer = await post(`/v1/deliveries/${encodeURIComponent(id)}/resend`, { new_id: isNew });
    if (asJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
    if (answer.status === 202) {
      const { job_id: jobId } = requireMember(server, answer, "job_id");
      if (!asJson) io.stdout.writeLine(String(jobId));
      continue;
    }
    reportRefusal(answer, io, id);
    code = 1;
  }
  return code;
}

/** The filters that are given, under the names of the API. */
function filterOf(values: Readonly<Partial<Record<FilterFlag, string>>>): Record<string, string> {
  return Object.fromEntries(
    filterFlags.flatMap((flag) => {
      const value = values[flag];
      return value === undefined ? [] : [[flag.replace("-", "_"), value] as const];
    }),
  );
}
