import { UsageError } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { printOperation } from "./operation-end.ts";
import { cell, listCommand, queryOf } from "./list-command.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";
import { showCommand } from "./show-command.ts";
import { withSubcommands } from "./subcommand-runner.ts";

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
/** One delivery as the API lists it. */
interface Item {
  readonly id: string;
  readonly state: string;
  readonly endpoint: string | null;
  readonly job_id: string;
  readonly started_at: string | null;
  readonly attempts: readonly { readonly detail: string }[];
}

const ls = listCommand<Item>({
  path: () => "/v1/deliveries",
  filters: filterFlags,
  head: ["ID", "STARTED AT", "STATE", "ATTEMPTS", "ENDPOINT", "JOB", "LAST ATTEMPT"],
  rowOf: ({ id, state, endpoint, job_id: jobId, started_at: startedAt, attempts }) => [
    id,
    cell(startedAt),
    state,
    cell(attempts.length),
    cell(endpoint),
    jobId,
    cell(attempts.at(-1)?.detail),
  ],
  none: "no deliveries",
  partial: "the server has more",
});

const show = showCommand({
  positional: "ID",
  path: (id) => `/v1/deliveries/${encodeURIComponent(id)}`,
  member: "attempts",
});

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
  const filter = queryOf(values, filterFlags);
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
    const body = {
      ...(switches.has("all") ? { all: true } : { filter }),
      new_id: isNew,
      dry_run: switches.has("dry-run"),
      ...(perSecond === undefined ? {} : { per_second: Number(perSecond) }),
    };
    return printOperation(server, { path: "/v1/deliveries/resend", body }, { asJson }, io);
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

/** `hookline deliveries ls|show|resend`: what a server delivered lately, over the admin API. */
export const deliveries: RunCommand = withSubcommands("deliveries", { ls, show, resend });
