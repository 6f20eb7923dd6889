import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { printOperation } from "./operation-end.ts";
import { cell, listCommand } from "./list-command.ts";
import { createInputReader } from "./secret-source.ts";
import { askServer, findServer, reportRefusal, serverFlags, type ServerAnswer } from "./server.ts";
import { showCommand } from "./show-command.ts";
import { withSubcommands } from "./subcommand-runner.ts";

const pathOf = (id: string): string => `/v1/apps/${encodeURIComponent(id)}`;

interface ShownApp {
  readonly id: string;
  readonly source: string;
  readonly webhooks?: readonly unknown[];
}

const ls = listCommand<ShownApp>({
  member: "apps",
  path: () => "/v1/apps",
  head: ["ID", "SOURCE", "WEBHOOKS"],
  rowOf: ({ id, source, webhooks = [] }) => [id, source, cell(webhooks.length)],
  none: "no apps",
  partial: "the server has more",
});

/** The app as JSON, secrets masked. */
const get = showCommand({ positional: "ID", path: pathOf, member: "id" });

async function put(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: serverFlags,
    switches: ["json", "dry-run"],
    positionals: ["ID", "FILE"],
    required: 1,
  });
  const [id = "", file = "-"] = positionals;
  const body = await createInputReader(io).read(file);
  const server = await findServer(values, io);
  const query = switches.has("dry-run") ? "?dry_run=true" : "";
  const answer = await askServer(server, { method: "PUT", path: `${pathOf(id)}${query}`, body });
  if (answer.status !== 200 && answer.status !== 201) return refused(answer, io);
  if (switches.has("json")) io.stdout.write(`${answer.text.trimEnd()}\n`);
  else io.stdout.writeLine(switches.has("dry-run") ? "ok" : answer.status === 201 ? "stored" : "replaced");
  return 0;
}

async function rm(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: serverFlags,
    switches: ["json"],
    positionals: ["ID..."],
    required: 1,
  });
  const server = await findServer(values, io);
  const removed: string[] = [];
  for (const id of positionals) {
    const answer = await askServer(server, { method: "DELETE", path: pathOf(id) });
    if (answer.status === 204) removed.push(id);
    else reportRefusal(answer, io, id);
  }
  io.stdout.writeLine(switches.has("json") ? JSON.stringify({ removed }) : `${removed.length} removed`);
  return removed.length === positionals.length ? 0 : 1;
}

/** What is written meanwhile is encrypted with the current key anyway. */
async function reencrypt(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches } = parseArguments(args, { values: serverFlags, switches: ["json"] });
  const server = await findServer(values, io);
  const request = { path: "/v1/encryption/reencrypt", body: {} };
  return printOperation(server, request, { asJson: switches.has("json") }, io);
}

function refused(answer: ServerAnswer, io: Pick<CommandIo, "reportError">): number {
  reportRefusal(answer, io);
  return 1;
}

/** `hookline apps ls|get|put|rm|reencrypt`: the apps of a server, over the admin API. */
export const apps: RunCommand = withSubcommands("apps", { ls, get, put, rm, reencrypt });
