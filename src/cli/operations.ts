import { parseArguments } from "./arguments.ts";
import type { CommandIo, RunCommand } from "./command.ts";
import { cell, listCommand } from "./list-command.ts";
import type { ToldOperation } from "./operation-end.ts";
import { askServer, findServer, reportRefusal, requireMember, serverFlags } from "./server.ts";
import { showCommand } from "./show-command.ts";
import { withSubcommands } from "./subcommand-runner.ts";

const operationPath = (id: string): string => `/v1/operations/${encodeURIComponent(id)}`;

const ls = listCommand<ToldOperation>({
  path: () => "/v1/operations",
  head: ["ID", "KIND", "STATE", "QUEUE", "STARTED AT", "MATCHED", "DONE"],
  rowOf: (one) => [
    one.id,
    one.dry_run ? `${one.kind} (dry run)` : one.kind,
    one.state,
    cell(one.queue),
    one.started_at,
    cell(one.matched),
    cell(one.done),
  ],
  none: "no operations",
  partial: "the server has more",
});

const show = showCommand({ positional: "ID", path: operationPath, member: "state" });

async function stop(args: readonly string[], io: CommandIo): Promise<number> {
  const { values, switches, positionals } = parseArguments(args, {
    values: serverFlags,
    switches: ["json"],
    positionals: ["ID"],
    required: 1,
  });
  const [id = ""] = positionals;
  const server = await findServer(values, io);
  const answer = await askServer(server, { method: "DELETE", path: operationPath(id) });
  if (switches.has("json")) io.stdout.write(`${answer.text.trimEnd()}\n`);
  if (answer.status !== 200) {
    reportRefusal(answer, io, id);
    return 1;
  }
  const told = requireMember(server, answer, "state") as unknown as ToldOperation;
  if (!switches.has("json")) io.stdout.writeLine(`${told.state}: ${told.done} of ${told.matched}`);
  return 0;
}

/** `hookline operations ls|show|stop`: bulk requests of a server, over the admin API. */
export const operations: RunCommand = withSubcommands("operations", { ls, show, stop });
