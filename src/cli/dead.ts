import { parseArguments, parseCount } from "./arguments.ts";
import { UsageError } from "../errors.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { cell, listCommand } from "./list-command.ts";
import {
  askServer,
  describeRefusal,
  findServer,
  reportRefusal,
  requireMember,
  serverFlags,
} from "./server.ts";
import type { Server, ServerAnswer } from "./server.ts";
import { withSubcommands } from "./subcommand-runner.ts";

/** One dead letter as the API lists it. */
interface Item {
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly failed_at: string | number | null;
  readonly endpoint: string | null;
}

/** The filters of the API, as flags. */
const filters = ["app", "endpoint", "event", "reason", "status", "job-id", "since", "until"] as const;

const ls = listCommand<Item>({
  positionals: ["QUEUE"],
  filters,
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

async function redrive(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: [...serverFlags, "max"],
    switches: ["json", "all"],
    positionals: ["QUEUE", "ID..."],
    required: 1,
  });
  const server = await findServer(values, io);
  const [queue = "", ...ids] = positionals;
  const ways = [ids.length > 0, values.max !== undefined, switches.has("all")].filter(Boolean).length;
  if (ways !== 1) throw new UsageError("dead redrive: give ids, or --max N, or --all");
  const selection = ids.length > 0 ? { ids } : { max: await howMany(server, queue, values.max) };
  const body = JSON.stringify(selection);
  const answer = await askServer(server, { method: "POST", path: `${deadPath(queue)}/redrive`, body });
  if (!reportAnswer(answer, io, switches.has("json"))) return 1;
  const { redriven, not_found: missing = [] } = requireMember(server, answer, "redriven") as {
    redriven: number;
    not_found?: readonly string[];
  };
  if (!switches.has("json")) io.stdout.writeLine(`${redriven} redriven`);
  for (const id of missing) io.reportError(`${id}: not there`, { code: "not_found" });
  return missing.length === 0 ? 0 : 1;
}

/** As many as are there now: with no bound, one that dies again at once would be redriven for ever. */
async function howMany(server: Server, queue: string, max: string | undefined): Promise<number> {
  if (max !== undefined) return parseCount("--max", max, 1);
  const answer = await askServer(server, { path: `/v1/queues/${encodeURIComponent(queue)}` });
  if (answer.status !== 200) throw new Error(describeRefusal(answer));
  return Math.max(1, (requireMember(server, answer, "dead") as { dead: number | null }).dead ?? 1_000);
}

async function rm(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: serverFlags,
    switches: ["json"],
    positionals: ["QUEUE", "ID..."],
    required: 2,
  });
  const server = await findServer(values, io);
  const [queue = "", ...ids] = positionals;
  const removed: string[] = [];
  for (const id of ids) {
    const path = `${deadPath(queue)}/${encodeURIComponent(id)}`;
    const answer = await askServer(server, { method: "DELETE", path });
    if (answer.status === 204) removed.push(id);
    else reportRefusal(answer, io, id);
  }
  io.stdout.writeLine(switches.has("json") ? JSON.stringify({ removed }) : `${removed.length} removed`);
  return removed.length === ids.length ? 0 : 1;
}

function deadPath(queue: string): string {
  return `/v1/queues/${encodeURIComponent(queue)}/dead`;
}

/** Prints the server's answer under --json and its refusal on stderr; false when it refused. */
function reportAnswer(answer: ServerAnswer, io: CommandIo, asJson: boolean): boolean {
  if (asJson) io.stdout.write(`${answer.text.trimEnd()}\n`);
  if (answer.status === 200) return true;
  reportRefusal(answer, io);
  return false;
}

/** `hookline dead ls|redrive|rm`: a queue's dead letters, over the admin API. */
export const dead: RunCommand = withSubcommands("dead", { ls, redrive, rm });
